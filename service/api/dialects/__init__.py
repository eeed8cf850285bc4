"""Other servers' protocols, so that their clients change nothing but an address: each in a file of its own."""
