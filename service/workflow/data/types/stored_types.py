"""The names of the data types of typed files in messages."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def in_words(dtype: "pl.DataType") -> str:
    """What a column of this data type holds."""
    import polars as pl

    named = {
        pl.Boolean: "booleans",
        **dict.fromkeys((pl.String, pl.Categorical, pl.Enum), "texts"),
        pl.Date: "dates",
        pl.Datetime: "dates with times",
        pl.Time: "times of day",
        pl.Duration: "durations",
        pl.Decimal: "decimal numbers",
        pl.Binary: "bytes",
        **dict.fromkeys((pl.List, pl.Array), "lists"),
        pl.Struct: "objects",
        pl.Null: "nothing but missing values",
    }
    if (known := named.get(dtype.base_type())) is not None:
        return str(known)
    if dtype.is_integer():
        return "whole numbers"
    return "numbers" if dtype.is_float() else "values of a type that is not read here"
