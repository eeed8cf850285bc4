"""Storage backends: one file for each, all with the same contract."""
