"""Data sets of arrays: files of NumPy with the features x and the target y."""
