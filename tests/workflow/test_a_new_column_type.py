"""A column type is one file and one name in the registry: a fifth one, registered here, works from the upload to the
prediction without another edit."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from service.serving.codecs import instances, outputs
from service.workflow.data.read import read
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.schema import Misfit, Schema
from service.workflow.data.survey import survey
from service.workflow.data.table import Numbers, RequestedColumn, Texts
from service.workflow.data.types.column_type import ColumnType, expected
from service.workflow.data.types.evidence import Evidence
from service.workflow.data.types.how import How
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import InvalidInstances, InvalidSpec
from service.workflow.learn import predict
from service.workflow.look.chart_data import ChartData
from service.workflow.look.charts import CHARTS
from service.workflow.preprocessing import network_inputs
from service.workflow.signature import Input, Output, Signature
from service.workflow.spec import TrainingSpec, parse
from service.workflow.tasks import Task
from tests.serving.formats import of_tables
from tests.workflow.learning import Trained, train

from_body, from_texts = of_tables(instances.from_body), of_tables(instances.from_texts)


HEX = r"^#[0-9a-fA-F]{6}$"


class Colour(ColumnType):
    """#rrggbb, kept as a number of 24 bits; three raw columns: red, green and blue, each 0 to 1."""

    name: ClassVar[str] = "colour"
    raw_columns: ClassVar[int] = 3

    def fits(self, evidence: Evidence) -> str | None:
        """Every text is #rrggbb."""
        texts = evidence.texts
        return "colours" if texts and not evidence.numbers and all(re.match(HEX, each) for each in texts) else None

    def misfit(self, evidence: Evidence) -> Misfit | None:
        """The first text that is none."""
        odd = ((row, text) for text, row in evidence.text_rows.items() if not re.match(HEX, text))
        return next((Misfit(row=row, cell=text[:60]) for row, text in odd), None)

    def holds(self, dtype: pl.DataType) -> bool:
        """No file has a type for colours."""
        return False

    def parse(self, series: pl.Series, how: How) -> pl.Series:
        """From texts."""
        if series.dtype != pl.String:
            return pl.Series("", [None] * len(series), pl.Float64)
        digits = how.stripped(series).str.extract(r"^#([0-9a-fA-F]{6})$")
        return digits.str.to_integer(base=16, strict=False).cast(pl.Float64)

    def wanted(self, how: How) -> str:
        """In words."""
        return "a colour such as #ff8800"

    def from_value(self, value: Any, how: How) -> float | None:
        """From JSON."""
        if not isinstance(value, str):
            raise expected(self.wanted(how), value)
        return self.from_text(value, how)

    def from_text(self, text: str, how: How) -> float | None:
        """From a query or a CSV file."""
        if how.is_missing(text):
            return None
        if not re.match(HEX, text):
            raise expected(self.wanted(how), text)
        return float(int(text[1:], 16))

    def encode(self, column: Numbers | Texts, categories: Sequence[str] | None) -> list[Numbers]:
        """Red, green, blue."""
        assert isinstance(column, np.ndarray)
        return [column // 65536 / 255, column // 256 % 256 / 255, column % 256 / 255]

    def plotted(self, value: float | str) -> Scalar:
        """As it was written."""
        return f"#{int(value):06x}"


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLUMN_TYPES, "colour", Colour())


def records(count: int = 90) -> list[dict[str, Any]]:
    """Rows whose target is how red a colour is."""
    codes = np.random.default_rng(3).integers(0, 256, (count, 3)).tolist()
    return [
        {"shade": None if at % 30 == 7 else "#{:02x}{:02x}{:02x}".format(*code), "red": code[0] / 255 + at % 2 / 100}
        for at, code in enumerate(codes)
    ]


def trained() -> Trained:
    """A training on the records with only the target in the spec."""
    data = {"kind": "rows", "records": records(), "target": "red"}
    settings = {"epochs": 300, "batch_size": "full", "early_stopping": None}
    made = {"model_name": "m", "data": data, "model": {"kind": "linear_regression"}, "training": settings}
    return train(made | {"optimizer": {"name": "Adam", "lr": 0.05}})


def test_a_registered_type_is_inferred_surveyed_and_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("shade,word\n#ff8800,#ff8800\n,x\n#000001,y\n")
    found = survey(path, "text/csv")
    shade, word = found.schema.columns
    assert (shade.type, shade.reason, shade.missing, shade.values) == ("colour", "colours", 1, [1.0, 0xFF8800])
    assert (word.type, word.misfits["colour"].cell) == ("category", "x")
    assert Schema.model_validate_json(found.schema.model_dump_json()) == found.schema
    table = read(path, found.media_type, found.schema, {"shade": RequestedColumn("colour")}, tmp_path)
    shades = table.columns["shade"]
    assert isinstance(shades, np.ndarray) and shades.tolist() == [0xFF8800, pytest.approx(np.nan, nan_ok=True), 1]
    surveyed = survey(path, "text/csv", ReadingOptions.model_validate({"types": {"shade": "category"}}))
    assert surveyed.schema.columns[0].type == "category"


def test_a_registered_type_is_trained_predicted_and_plotted() -> None:
    learned = trained().learned
    (shade,) = learned.signature.inputs
    assert (shade.name, shade.type) == ("shade", "colour")
    features = network_inputs(learned.signature.inputs, learned.model.preprocessing).features
    assert features == 4  # red, green, blue, and whether the value is missing
    raw = from_body(learned.signature, {"instances": [["#ff0000"], ["#00ffff"], [None]]}, missing_allowed=True)
    assert raw[:2].tolist() == [[1, 0, 0], [0, 1, 1]] and raw[2].isnan().all()
    red, cyan, _ = predict(learned.model, raw)[:, 0].tolist()
    assert red == pytest.approx(1, abs=0.1) and cyan == pytest.approx(0, abs=0.1)
    assert from_texts(learned.signature, {"shade": ["#ff0000"]}, missing_allowed=True).tolist() == raw[:1].tolist()
    assert outputs.inputs(learned.signature) == [outputs.TensorSpec("shade", "BYTES", 1)]
    subject = ChartData(learned.signature, learned.points, {}, {})
    drawn = CHARTS["data"](subject).to_dict()
    assert drawn["encoding"]["x"]["type"] == "nominal" and records()[0]["shade"] in learned.points.features["shade"]


def test_a_value_of_another_type_is_refused_with_what_is_expected() -> None:
    inputs, targets = [Input(name="shade", type="colour")], [Output(name="red", type="number")]
    signature = Signature(task=Task.REGRESSION, inputs=inputs, outputs=targets)
    with pytest.raises(InvalidInstances, match="expected a colour such as #ff8800, not 'red'"):
        from_body(signature, {"instances": [["red"]]}, missing_allowed=True)


def test_a_spec_may_name_it() -> None:
    assert "colour" in str(TrainingSpec.model_json_schema()["$defs"]["Feature"])
    made = {"model_name": "m", "data": {"kind": "rows", "records": records(), "target": "red"}}
    parse({**made, "data": {**made["data"], "features": {"shade": {"type": "colour"}}}})  # type: ignore[dict-item]
    with pytest.raises(InvalidSpec, match=r"should be 'number', .* or 'colour'"):
        parse({**made, "data": {**made["data"], "features": {"shade": {"type": "color"}}}})  # type: ignore[dict-item]
