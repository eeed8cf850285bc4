"""The peers, with their defaults, except for the seed and one thread.

What they learn from: each method sees the same rows, the training and the validation part. Ours and RealMLP-TD stop by the
validation part; the others have no use for it by default, and so learn from both parts.
Categories are given as pandas' categories, which CatBoost, LightGBM, XGBoost, HistGradientBoosting and RealMLP-TD take as they
are; the linear models have them one-hot, and numbers standardised. CatBoost knows no missing category, so it is one more text.
Missing numbers are given as NaN; where a method takes none (linear, RealMLP-TD) they are the training rows' median.
"""

import time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.quality import cache

MISSING = "missing"  # a category of its own for CatBoost
Frame = Any
Fitted = tuple[NDArray[np.float64], dict[str, float]]


def fit(method: str, table: str, split: int) -> Fitted:
    """The answers for the test part, and the CPU seconds of the training."""
    about = cache.about(table)
    frame = pd.read_parquet(cache.table_file(table))
    regression = about["task"] == "regression"
    target = frame.pop(about["target"])
    y = target.to_numpy() if regression else np.unique(target.to_numpy(str), return_inverse=True)[1]
    for name, kind in about["features"].items():
        frame[name] = frame[name].astype("category" if kind == "category" else "float64")
    parts = np.load(cache.split_file(table, split))
    train, validation, test = (parts[name] for name in ("train", "validation", "test"))
    rows = np.concatenate([train, validation])
    frame = METHODS_PREPARE.get(method, _as_it_is)(frame, rows)
    model = METHODS[method](regression, split, frame)
    options = {"val_idxs": np.arange(len(train), len(rows))} if method == "RealMLP-TD" else {}
    began = time.process_time()
    model.fit(frame.iloc[rows], y[rows], **options)
    spent = time.process_time() - began
    answers = model.predict(frame.iloc[test]) if regression else model.predict_proba(frame.iloc[test])
    return np.asarray(answers, np.float64), {"cpu_s": spent}


def _as_it_is(frame: Frame, rows: NDArray[np.int64]) -> Frame:
    return frame


def _with_missing_category(frame: Frame, rows: NDArray[np.int64]) -> Frame:
    texts = frame.select_dtypes("category").columns
    return frame.assign(**{name: frame[name].astype(object).fillna(MISSING).astype(str) for name in texts})


def _filled(frame: Frame, rows: NDArray[np.int64]) -> Frame:
    numbers = frame.select_dtypes("float64")
    filled = numbers.fillna(numbers.iloc[rows].median()).fillna(0)
    return frame.assign(**{name: filled[name] for name in filled})


def _catboost(regression: bool, seed: int, frame: Frame) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    texts = [name for name in frame if frame[name].dtype.kind not in "f"]
    kind = CatBoostRegressor if regression else CatBoostClassifier
    return kind(random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False, cat_features=texts)


def _lightgbm(regression: bool, seed: int, frame: Frame) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    return (LGBMRegressor if regression else LGBMClassifier)(random_state=seed, n_jobs=1, verbose=-1)


def _xgboost(regression: bool, seed: int, frame: Frame) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    return (XGBRegressor if regression else XGBClassifier)(random_state=seed, n_jobs=1, enable_categorical=True)


def _hist_gradient_boosting(regression: bool, seed: int, frame: Frame) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return (HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier)(random_state=seed)


def _realmlp(regression: bool, seed: int, frame: Frame) -> Any:
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    return (RealMLP_TD_Regressor if regression else RealMLP_TD_Classifier)(random_state=seed, n_threads=1, device="cpu")


def _linear(regression: bool, seed: int, frame: Frame) -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="float64")),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
    )
    # 100 iterations, the default, do not always suffice.
    return make_pipeline(columns, Ridge() if regression else LogisticRegression(max_iter=1000, random_state=seed))


METHODS = {  # the cheap ones first
    "linear": _linear,
    "LightGBM": _lightgbm,
    "HistGradientBoosting": _hist_gradient_boosting,
    "XGBoost": _xgboost,
    "CatBoost": _catboost,
    "RealMLP-TD": _realmlp,
}
METHODS_PREPARE = {"CatBoost": _with_missing_category, "linear": _filled, "RealMLP-TD": _filled}
