"""Where the store keeps its bytes: one file a backend, all with the same contract."""
