"""Rows in the forms that people have them in, as bodies of requests; and predictions in the same form."""

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, TypeGuard

import httpx

from modelwright.answers import parse
from modelwright.errors import UnexpectedAnswer, UnusableData
from modelwright.files import as_json, content_of, is_file, media_type_of
from modelwright.json_types import is_list

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Exchange:
    """A body with its media type, the format of the answer, and what makes the caller's kind of data of it."""

    content: bytes
    media_type: str
    accept: str
    read: Callable[[httpx.Response], Any]

    def as_json(self) -> "Exchange":
        """The same, answered as JSON: a list of predictions, or one prediction for what is no list."""
        return self if self.accept == JSON else replace(self, accept=JSON, read=_predictions)


def exchange_of(data: Any) -> Exchange:
    """The fastest exchange for rows of this kind (benchmarks/client.py has measured them).

    Args:
        data: a list of rows (lists in the order of the model's inputs, or dictionaries), one row as a dictionary, columns as a
            dictionary of lists, a DataFrame of pandas or polars, or an array or tensor of numbers, [rows, inputs] or [rows];
            or one value of a model with one input: a text, or a file (a path, bytes, or an image of Pillow).

    Raises:
        UnusableData: it is none of these.
    """
    match kind_of(data):
        case "pandas.DataFrame":
            return _of_pandas(data)
        case "polars.DataFrame":
            return _of_polars(data)
        case "numpy.ndarray":
            return _of_array(data, lambda array: array)
        case "torch.Tensor":
            return _of_tensor(data)
        case _:
            return _of_rows(data)


def kind_of(data: Any) -> str:
    """The library and the class of a value, or of the class that it derives from; "" if it is of none of those above."""
    for each in type(data).__mro__:
        name = f"{each.__module__.partition('.')[0]}.{each.__name__}"
        if name in ("pandas.DataFrame", "polars.DataFrame", "numpy.ndarray", "torch.Tensor"):
            return name
    return ""


def document_of(data: Any) -> dict[str, Any]:
    """Rows or columns of any of these kinds as the document of a request in JSON.

    Raises:
        UnusableData: it is none of these.
    """
    match kind_of(data):
        case "pandas.DataFrame":
            return {"inputs": _plain_columns(data.rename(columns=str))}
        case "polars.DataFrame":
            return {"inputs": data.to_dict(as_series=False)}
        case "numpy.ndarray" | "torch.Tensor":
            return {"instances": data.tolist()}
        case _:
            pass
    if _is_mapping(data):
        columns = dict(data)
        return {"inputs": columns} if columns and all(map(_is_list, columns.values())) else {"instances": [columns]}
    if isinstance(data, str) or is_file(data):
        return {"instances": [data]}
    if _is_list(data):
        return {"instances": list(data)}
    raise UnusableData(f"Rows are a list, a dictionary, a DataFrame, or a text or file alone; this is {_named(data)}.")


def table_of(data: Any) -> tuple[bytes, str]:
    """A table as a file for a data set, and its media type.

    Args:
        data: a DataFrame of pandas or polars, or a list of dictionaries.

    Raises:
        UnusableData: it is none of these.
    """
    kind = kind_of(data)
    if kind == "polars.DataFrame":
        file = io.BytesIO()
        data.write_parquet(file)
        return file.getvalue(), PARQUET
    if kind == "pandas.DataFrame":
        named = data.rename(columns=str)
        try:
            return named.to_parquet(index=False, engine="pyarrow"), PARQUET
        except (ImportError, ValueError, TypeError):  # there is no pyarrow, or it refuses columns of mixed objects
            return named.to_csv(index=False).encode(), CSV
    if _is_list(data) and data and all(map(_is_mapping, data)):
        return json_of_rows([dict(each) for each in data]), JSON
    raise UnusableData(
        "Train with the path of a table, a DataFrame of pandas or polars, a list of dictionaries, or a spec; "
        f"this is {_named(data)}, whose columns have no names."
    )


def _of_rows(data: Any) -> Exchange:
    if _is_mapping(data):
        columns = dict(data)
        if columns and all(_is_list(each) for each in columns.values()):
            return Exchange(json_of_rows({"inputs": columns}), JSON, JSON, _predictions)
        return Exchange(json_of_rows({"instances": [columns]}), JSON, JSON, _first)
    if isinstance(data, str):
        return Exchange(json_of_rows({"instances": [data]}), JSON, JSON, _first)
    if is_file(data):
        return _of_file(content_of(data))
    if not _is_list(data):
        raise UnusableData(
            "Rows are a list of lists or of dictionaries, a dictionary, a DataFrame of pandas or polars, an array or tensor "
            f"of numbers, or a text or file alone; this is {_named(data)}."
        )
    return Exchange(json_of_rows({"instances": list(data)}), JSON, JSON, _predictions)


def _of_file(content: bytes) -> Exchange:
    if (media_type := media_type_of(content)) is not None:
        return Exchange(content, media_type, JSON, _first)
    return Exchange(json_of_rows({"instances": [content]}), JSON, JSON, _first)


def _of_array(data: Any, back: Callable[[Any], Any]) -> Exchange:
    numpy: Any = import_module("numpy")
    rows = data.reshape(-1, 1) if data.ndim == 1 else data
    if rows.dtype.kind not in "fiub":  # texts and dates, which NPY cannot have
        if rows.dtype.kind == "M":
            rows = numpy.datetime_as_string(rows)
        body, media_type = json_of_rows({"instances": rows.tolist()}), JSON
    else:
        if rows.dtype.kind == "f" and rows.dtype.itemsize not in (4, 8):
            rows = rows.astype(numpy.float32 if rows.dtype.itemsize < 4 else numpy.float64)
        file = io.BytesIO()
        native = numpy.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("="))
        numpy.save(file, native, allow_pickle=False)
        body, media_type = file.getvalue(), NPY

    def read(response: httpx.Response) -> Any:
        return back(numpy.load(io.BytesIO(response.content), allow_pickle=False))

    return Exchange(body, media_type, NPY, read)


def _of_tensor(data: Any) -> Exchange:
    torch: Any = import_module("torch")
    rows = data.detach().cpu()
    if rows.dtype in (torch.bfloat16, torch.float16):
        rows = rows.float()
    return _of_array(rows.numpy(), lambda array: torch.from_numpy(array).to(data.device))


def _of_polars(data: Any) -> Exchange:
    polars: Any = import_module("polars")
    file = io.BytesIO()
    data.write_ipc_stream(file)
    return Exchange(
        file.getvalue(), ARROW, ARROW, lambda response: polars.read_ipc_stream(io.BytesIO(response.content))
    )


def _of_pandas(data: Any) -> Exchange:
    named = data.rename(columns=str)
    try:
        arrow: Any = import_module("pyarrow")
        ipc: Any = import_module("pyarrow.ipc")
    except ImportError:
        return Exchange(_columns(named), JSON, CSV, lambda response: _csv_as_pandas(response.content, data.index))

    def read(response: httpx.Response) -> Any:
        answer = ipc.open_stream(response.content).read_pandas()
        answer.index = data.index
        return answer

    try:
        table = arrow.Table.from_pandas(named, preserve_index=False)
    except (ValueError, TypeError):  # columns of mixed objects, which pyarrow refuses
        return Exchange(_columns(named), JSON, ARROW, read)
    sink = arrow.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Exchange(sink.getvalue().to_pybytes(), ARROW, ARROW, read)


def _columns(frame: Any) -> bytes:
    """The columns of a pandas DataFrame as JSON; what is missing is null."""
    return json_of_rows({"inputs": _plain_columns(frame)})


def _plain_columns(frame: Any) -> dict[str, list[Any]]:
    whole = frame.astype(object).where(frame.notna(), None)
    return {name: whole[name].tolist() for name in whole.columns}


def _csv_as_pandas(content: bytes, index: Any) -> Any:
    """Predictions in CSV as a pandas DataFrame. The apostrophe before what a spreadsheet would evaluate is removed."""
    pandas: Any = import_module("pandas")
    answer = pandas.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""])
    answer = answer.rename(columns=_without_apostrophe)
    for name in answer.columns:
        if not pandas.api.types.is_numeric_dtype(answer[name]):
            answer[name] = answer[name].map(_without_apostrophe)
    answer.index = index
    return answer


def _without_apostrophe(value: Any) -> Any:
    guarded = isinstance(value, str) and len(value) > 1 and value[0] == "'" and value[1] in "=+-@\t\r"
    return value[1:] if guarded else value


def _predictions(response: httpx.Response) -> list[Any]:
    found = parse(response.content).get("predictions")
    if not is_list(found):
        raise UnexpectedAnswer
    return found


def _first(response: httpx.Response) -> Any:
    return _predictions(response)[0]


def _is_mapping(data: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(data, Mapping)


def _is_list(data: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(data, Sequence) and not isinstance(data, str | bytes | bytearray)


def _named(data: Any) -> str:
    return f"{type(data).__module__}.{type(data).__qualname__}".removeprefix("builtins.")


def json_of_rows(value: Any) -> bytes:
    """A body of JSON with rows or columns, whose values may be files.

    Raises:
        UnusableData: a value cannot be sent.
        OSError: a file cannot be read.
    """
    try:
        text = json.dumps(value, default=_plain, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_without_nan(value), default=_plain, separators=(",", ":"))
    return text.encode()


def _plain(value: Any) -> Any:
    """Files, scalars of other libraries, dates and times, and tuples of their own kinds as what JSON has."""
    if is_file(value):
        return as_json(value)
    if hasattr(value, "item") and not getattr(value, "ndim", 0):  # of numpy and torch
        number = value.item()
        return None if isinstance(number, float) and math.isnan(number) else number
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise UnusableData(f"A row has a value that cannot be sent: {_named(value)}.")


def _without_nan(value: Any) -> Any:
    """The same with null for each NaN, as a missing value."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if _is_mapping(value):
        return {name: _without_nan(each) for name, each in value.items()}
    if _is_list(value):
        return [_without_nan(each) for each in value]
    return value
