"""Files of NumPy as data sets: numbers and tensors with a target, and what is refused."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.workflow.data.reading import ReadingOptions
from service.workflow.data.stored_table import read_stored
from service.workflow.data.survey import survey
from service.workflow.data.table import RequestedColumn, Table, Texts
from service.workflow.data.table_survey import Survey
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.tensor import TensorType
from service.workflow.data.values import InvalidValue
from service.workflow.errors import InvalidData, InvalidSpec
from service.workflow.signature import Input
from tests.harness.pictures import written

Array = np.ndarray[Any, Any]


def saved(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def archive(compressed: bool = False, **named: Any) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **named)
    return file.getvalue()


def _surveyed(folder: Path, content: bytes, **options: Any) -> Survey:
    return survey(written(folder, content), "", ReadingOptions(**options))


def _read(folder: Path, found: Survey, **types: str) -> Table:
    wanted = {each.name: RequestedColumn(types.get(each.name, each.type), exact=True) for each in found.schema.columns}
    return read_stored(folder / "body", found.media_type, found.schema, wanted, folder)


def _array(table: Table, name: str = "x") -> Array:
    column = table.columns[name]
    assert isinstance(column, np.ndarray)
    return column


@pytest.mark.parametrize("compressed", [False, True])
def test_rows_of_numbers_are_columns(tmp_path: Path, compressed: bool) -> None:
    x = np.array([[1.5, np.nan], [2.5, np.inf], [4.5, 3.0]], np.float32)
    found = _surveyed(tmp_path, archive(compressed, x=x, y=np.array([7, 8, 7]), z=np.zeros(2)))
    assert (found.media_type, found.schema.rows, found.schema.target) == ("application/x-npz", 3, "y")
    first, second, target = found.schema.columns
    assert [(each.name, each.type) for each in found.schema.columns] == [
        ("x0", "number"), ("x1", "number"), ("y", "number"),
    ]  # fmt: skip
    assert (first.missing, second.missing, second.first_missing, target.integer) == (0, 2, 0, True)
    assert (first.statistics["min"], first.statistics["max"]) == (1.5, 4.5)
    assert (target.values, target.counts) == ([7, 8], [2, 1])
    assert found.head == [
        {"x0": 1.5, "x1": None, "y": 7},
        {"x0": 2.5, "x1": None, "y": 8},
        {"x0": 4.5, "x1": 3, "y": 7},
    ]
    assert any("'z'" in note for note in found.notes) and any("infinite" in note for note in found.notes)
    table = _read(tmp_path, found)
    assert _array(table, "x0").tolist() == [1.5, 2.5, 4.5] and _array(table, "y").tolist() == [7, 8, 7]
    assert np.isnan(_array(table, "x1")).tolist() == [True, True, False]
    texts = _read(tmp_path, found, x0="category").columns["x0"]
    assert isinstance(texts, Texts) and list(texts.values) == ["1.5", "2.5", "4.5"]


@pytest.mark.parametrize(
    ("y", "kind", "values"),
    [
        (np.array(["a", "b", ""]), "category", ["a", "b"]),
        (np.array([b"a", b"\xc3\xa4", b"a"]), "category", ["a", "ä"]),
        (np.array([True, False, True]), "boolean", [False, True]),
        (np.array([[1.5], [2.5], [np.nan]]), "number", [1.5, 2.5]),
        (np.array([1, 2, 3], np.uint8), "number", [1, 2, 3]),
    ],
)
def test_targets(tmp_path: Path, y: Array, kind: str, values: list[Any]) -> None:
    found = _surveyed(tmp_path, archive(x=np.zeros((3, 2)), y=y))
    target = found.schema.columns[-1]
    assert (target.type, target.values, found.schema.target) == (kind, values, "y")
    assert target.missing == 3 - sum(target.counts or [])
    assert len(_read(tmp_path, found)) == 3


def test_one_array_has_no_target(tmp_path: Path) -> None:
    found = _surveyed(tmp_path, saved(np.eye(3)))
    assert (found.media_type, found.schema.target) == ("application/x-npy", None)
    assert [each.name for each in found.schema.columns] == ["x0", "x1", "x2"]
    many = _surveyed(tmp_path, saved(np.arange(4000.0).reshape(2000, 2)))
    bins = many.schema.columns[0].bins
    assert bins is not None and sum(bins.counts) == 2000


NUMBERS = arrays.scalar_dtypes().filter(lambda dtype: dtype.kind in "biuf" and dtype.itemsize <= 8)


@settings(max_examples=40)
@given(data=st.data(), order=st.sampled_from("CF"), compressed=st.booleans())
def test_tensors_come_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, order: str, compressed: bool
) -> None:
    """Of any type, byte order and memory order: bytes as bytes, others as the nearest float32."""
    dtype = data.draw(NUMBERS)
    shape = data.draw(arrays.array_shapes(min_dims=3, max_dims=5, max_side=4))
    bounds: dict[str, Any] = {"min_value": -100, "max_value": 100} if dtype.kind in "if" else {}
    x = data.draw(arrays.arrays(dtype, shape, elements=arrays.from_dtype(dtype, allow_nan=False, **bounds)))
    folder = tmp_path_factory.mktemp("tensors")
    found = _surveyed(folder, archive(compressed, x=np.asarray(x, order=order)))  # type: ignore[call-overload]
    column = found.schema.columns[0]
    kept = x if x.dtype == np.uint8 else x.astype(np.float32)
    assert (column.name, column.type, column.statistics["shape"]) == ("x", "tensor", [*shape[1:]])
    assert column.statistics["dtype"] == str(kept.dtype)
    assert column.statistics["mean"] == pytest.approx(float(kept.astype(np.float64).mean()), rel=1e-9, abs=1e-4)
    table = _read(folder, found)
    assert np.array_equal(_array(table), kept)
    of = Input(name="x", type="tensor", shape=[*shape[1:]], dtype="uint8" if x.dtype == np.uint8 else None)
    tensor = TensorType().to_tensor(of, table.columns["x"], TensorCache())
    assert torch.equal(tensor, torch.from_numpy(np.ascontiguousarray(kept)))
    again = TensorType().from_request(of, kept.tolist())
    assert isinstance(again, np.ndarray) and again.dtype == kept.dtype and np.array_equal(again, kept)


def test_tensors_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    x = np.zeros((200, 2, 2))
    x[150, 0, 1] = np.nan
    one = _surveyed(tmp_path, archive(x=x, y=np.arange(200)))
    assert (one.schema.rows, one.schema.left_out) == (199, [150]) and any("x[150]" in note for note in one.notes)
    table = _read(tmp_path, one)
    assert _array(table).shape == (199, 2, 2) and 150 not in _array(table, "y").tolist()
    x[:100] = 1e300
    with pytest.raises(InvalidData, match="101 of 200"):
        _surveyed(tmp_path, archive(x=x))
    assert _surveyed(tmp_path, archive(x=x), skip_broken=True).schema.rows == 99


def test_the_first_rows(tmp_path: Path) -> None:
    small = _surveyed(tmp_path, archive(x=np.arange(8, dtype=np.uint8).reshape(2, 2, 2), y=np.array(["a", "b"])))
    assert small.head == [{"x": [[0, 1], [2, 3]], "y": "a"}, {"x": [[4, 5], [6, 7]], "y": "b"}]
    large = _surveyed(tmp_path, saved(np.zeros((2, 9, 9))))
    assert large.head == [{"x": {"shape": [9, 9], "dtype": "float32"}}] * 2


class Planted:
    """Would leave a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def _header(text: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + body


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    for content in (
        saved(np.array([[Planted(tmp_path / "planted")]], object)),
        archive(x=np.zeros((1, 1)), y=np.array([Planted(tmp_path / "planted")], object)),
    ):
        with pytest.raises(InvalidData, match="nothing is unpickled"):
            _surveyed(tmp_path, content)
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: saved(np.zeros(3)), "1 dimensions"),
        (lambda: saved(np.zeros((1,) * 6)), "6 dimensions"),
        (lambda: saved(np.zeros((0, 3))), "is empty"),
        (lambda: saved(np.zeros((3, 0))), "is empty"),
        (lambda: saved(np.zeros((2, 2), complex)), "complex numbers"),
        (lambda: saved(np.zeros((2, 2), "M8[s]")), "times"),
        (lambda: saved(np.zeros((2, 2), [("a", "i4")])), "several fields"),
        (lambda: saved(np.zeros((2, 2), "U3")), "numbers are expected"),
        (lambda: saved(np.zeros((2, 2), np.longdouble)), "depends on the machine"),
        (lambda: saved(np.zeros((1, 10_001), np.uint8)), "at most 10000"),
        (lambda: saved(np.zeros((9, 9)))[:-1], "cut short"),
        (lambda: saved(np.zeros((9, 9))) + b"x", "cut short"),
        (lambda: _header("{'descr': '<f8', 'fortran_order': False, 'shape': (1, -8)}\n"), "is empty"),
        (lambda: _header("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 9)}\n", b"x"), "cut short"),
        (lambda: _header("{'descr': '<f8', 'fortran_order': False, 'shape': (True, True)}\n", b"x" * 8), "whole"),
        (lambda: _header("(" * 9000), "no header"),
        (lambda: _header("__import__('os').abort()\n"), "no header"),
        (lambda: b"\x93NUMPY\x09\x00", "no header"),
        (lambda: archive(a=np.eye(2)), "'a'"),
        (lambda: archive(x=np.eye(2), y=np.zeros(3)), "2 rows"),
        (lambda: archive(x=np.eye(2), y=np.eye(2)), "one value a row"),
        (lambda: archive(x=np.eye(2), y=np.array([b"\xff", b"a"])), "no texts in UTF-8"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(InvalidData) as refused:
        _surveyed(tmp_path, content())
    assert reason in str(refused.value)


@pytest.mark.parametrize("media_type", ["application/x-npy", "application/x-npz"])
def test_a_table_that_is_said_to_be_arrays(tmp_path: Path, media_type: str) -> None:
    expected = "no header" if media_type.endswith("npy") else "is none"
    with pytest.raises(InvalidData, match=expected):
        survey(written(tmp_path, b"x,y\n1,2\n"), media_type)
    assert survey(written(tmp_path, archive(x=np.eye(2))), media_type).media_type == "application/x-npz"


def test_damaged_archives(tmp_path: Path) -> None:
    x = np.arange(100.0).reshape(10, 10)
    for compressed in (False, True):
        content = bytearray(archive(compressed, x=x))
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            size = packed.getinfo("x.npy").compress_size
        content[30 + len("x.npy") + size - 20] ^= 0xFF
        with pytest.raises(InvalidData, match="'x'"):
            _surveyed(tmp_path, bytes(content))
    with pytest.raises(InvalidData, match="come out"):
        _surveyed(tmp_path, archive(True, x=np.zeros((100, 2**17))))
    with pytest.raises(InvalidData, match="`separator`"):
        _surveyed(tmp_path, archive(x=x), separator=",")
    with pytest.raises(InvalidData, match="cannot be of type boolean"):
        _surveyed(tmp_path, archive(x=x), types={"x3": "boolean"})


@pytest.mark.parametrize(
    ("value", "dtype", "reason"),
    [
        ([[1, 2], [3]], None, "different lengths"),
        ([[1, 2], [3, 4], [5, 6]], None, "not of [3, 2]"),
        ([["1", 2], [3, 4]], None, "numbers of the shape [2, 2]"),
        ([[1, 2], [3, None]], None, "numbers of the shape [2, 2]"),
        ([[1, 2], [3, 10**400]], None, "numbers of the shape [2, 2]"),
        ([[1, 2], [3, 1e300]], None, "beyond what a float32"),
        ([[1, 2], [3, 256]], "uint8", "from 0 to 255"),
        ([[1, 2], [3, -1]], "uint8", "from 0 to 255"),
        ([[1, 2], [3, 0.5]], "uint8", "from 0 to 255"),
        (7, None, "not of []"),
        ("x", None, "numbers of the shape"),
    ],
)
def test_values_of_requests(value: Any, dtype: Any, reason: str) -> None:
    of = Input(name="x", type="tensor", shape=[2, 2], dtype=dtype)
    with pytest.raises(InvalidValue) as refused:
        TensorType().from_request(of, [None, [[1, 2], [3, 4]], value])
    assert reason in str(refused.value) and refused.value.row == 2
    made = TensorType().from_request(of, [None, [[1, 2], [3, 4]]])
    assert isinstance(made, np.ndarray) and made.tolist() == [[[0, 0], [0, 0]], [[1, 2], [3, 4]]]


def test_the_axis_of_channels() -> None:
    axis = TensorType().channel_axis
    assert [axis(shape) for shape in ([5], [5, 6], [3, 8, 8], [8, 8, 3], [1, 8, 3], [8, 8, 8], [4, 3, 8, 8])] == [
        0, 1, 0, 2, 0, 0, 1,
    ]  # fmt: skip


def test_a_feature_says_the_shape_of_the_data(tmp_path: Path) -> None:
    column = _surveyed(tmp_path, saved(np.zeros((2, 4, 5), np.uint8))).schema.columns[0]
    kind = TensorType()
    feature = kind.resolved(kind.feature(type="tensor"), column)
    assert kind.shaped_fields(feature) == {"shape": [4, 5], "dtype": "uint8"}
    with pytest.raises(InvalidSpec, match="/shape"):
        kind.resolved(kind.feature.model_validate({"type": "tensor", "shape": [5, 4]}), column)
    with pytest.raises(InvalidSpec, match="/dtype"):
        kind.resolved(kind.feature.model_validate({"type": "tensor", "dtype": "float32"}), column)
