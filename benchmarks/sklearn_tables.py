"""Writes scikit-learn's bundled tables as FOLDER/TABLE.npz with `x` and `y`, for programs in environments without it:
`python benchmarks/sklearn_tables.py FOLDER TABLE…`."""

import sys
from pathlib import Path

import numpy as np
from sklearn import datasets

for _table in sys.argv[2:]:
    _x, _y = getattr(datasets, f"load_{_table}")(return_X_y=True)
    np.savez(Path(sys.argv[1]) / _table, x=_x, y=_y)
