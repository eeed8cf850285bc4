"""Examples of images and texts that are recorded with a model, and the charts that show them."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from service.workflow.data.schema import Column
from service.workflow.data.table import Table, Texts, Values
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.look.chart_data import ChartData
from service.workflow.look.charts import describe
from service.workflow.look.examples import LONGEST_TEXT, MOST_SIDE, Picture
from service.workflow.look.pictures import filters, picture, picture_shape
from service.workflow.look.points import Points
from service.workflow.look.sampling import sample
from service.workflow.signature import Input, Signature
from service.workflow.split import Split

ROWS, CLASSES = 60, 10
WORDS = ["مرحبا بكم " * 3, '\\ "+alert(1)+" <b> \0', "long " * 400, "😀" * 90, ""]


class Sentence(ShapedType):
    """A text as four ids."""

    name: ClassVar[str] = "sentence"
    expects: ClassVar[str] = "a sentence"

    def resolved(self, feature: Feature, column: Column) -> Feature:
        """It has no options."""
        return feature

    def shaped_fields(self, feature: Feature) -> dict[str, Any]:
        """Its shape."""
        return {"shape": [4]}

    def to_tensor(self, of: Input, column: Values, cache: TensorCache) -> Tensor:
        """Nothing of the text."""
        return torch.zeros(len(column), 4, dtype=torch.int64)

    def from_request(self, of: Input, values: Sequence[Any]) -> Values:
        """Texts."""
        return np.asarray(values)

    def ids(self, of: Input) -> int | None:
        """One."""
        return 1


@pytest.fixture(autouse=True)
def _types(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(COLUMN_TYPES, "sentence", Sentence())
    yield


def parts() -> Split:
    positions = torch.arange(ROWS)
    return Split(positions[:40], positions[40:50], positions[50:])


def signature(task: str, *outputs: dict[str, Any], text: bool = False) -> Signature:
    inputs: list[dict[str, Any]] = [{"name": "photo", "type": "image", "shape": [3, 8, 100], "dtype": "uint8"}]
    inputs += [{"name": "review", "type": "sentence", "shape": [4]}] if text else []
    return Signature.model_validate({"task": task, "inputs": inputs, "outputs": outputs})


def recorded(of: Signature, targets: Tensor, answers: Tensor) -> Points:
    pixels = torch.arange(ROWS, dtype=torch.uint8)[:, None, None, None].expand(ROWS, 3, 8, 100).contiguous()
    texts = Texts(np.arange(ROWS, dtype=np.int32) % len(WORDS) - (np.arange(ROWS) == 50), WORDS)
    table = Table({"photo": pixels.numpy(), "review": texts})
    features = {"photo": pixels, "review": torch.zeros(ROWS, 4, dtype=torch.int64)}
    return sample(of, table, features, targets, answers, parts(), nn.Conv2d(3, 5, 3))


def chart(name: str, of: Signature, points: Points) -> str:
    """A chart as SVG."""
    import vl_convert

    again = Points.model_validate_json(points.model_dump_json())
    rows = {part: len(parts().part(part)) for part in ("train", "validation", "test")}
    drawn: str = vl_convert.vegalite_to_svg(describe(name, ChartData(of, again, {}, {}, rows)))
    return drawn


def test_classes_have_examples_and_the_worst_answers_come_first() -> None:
    classes = [f"<{each}>" for each in range(CLASSES)]
    of = signature("multiclass", {"name": "y", "type": "class", "classes": classes}, text=True)
    truth = torch.arange(ROWS) % CLASSES
    answers = torch.full((ROWS, CLASSES), 0.05)
    answers[torch.arange(ROWS), truth] = 0.55
    answers[57] = answers[57].roll(3)  # row 57 is taken for another class
    points = recorded(of, truth[:, None].double(), answers)
    found = points.examples
    assert found is not None and (found.picture, found.text, found.part) == ("photo", "review", "test")
    assert [each.label for each in found.groups] == classes[:8]  # of 10
    assert all(each.rows == 4 and len(each.examples) == 4 for each in found.groups)
    assert found.counts == {"train": [4] * 10, "validation": [1] * 10, "test": [1] * 10}
    worst, *others = found.worst
    assert (worst.truth, worst.answer, len(others)) == ("<7>", "<0>", 9)
    assert worst.probability == pytest.approx(0.55)
    assert worst.picture is not None and (worst.picture.width, worst.picture.height) == (MOST_SIDE, 5)
    assert set(worst.picture.bytes) == {57}
    assert worst.text is not None and len(worst.text) == LONGEST_TEXT
    assert points.lengths["review"][50:54] == [0, len(WORDS[1]), len(WORDS[2]), len(WORDS[3])]
    assert all("data:image/png;base64," in chart(name, of, points) for name in ("data", "predictions", "filters"))


def test_a_regression_shows_the_range_of_its_target() -> None:
    of = signature("regression", {"name": "y", "type": "number"})
    targets = torch.arange(ROWS).flip(0)[:, None].double()
    answers = targets.clone()
    answers[52] += 100
    answers[55] = torch.nan
    found = recorded(of, targets, answers).examples
    assert found is not None and [each.label for each in found.groups] == [""]
    assert [each.truth for each in found.groups[0].examples][:: len(found.groups[0].examples) - 1] == ["20", "59"]
    assert [(each.truth, each.answer) for each in found.worst][:2] == [("4", "nan"), ("7", "107")]
    points = recorded(of, targets, answers)
    assert all("data:image/png;base64," in chart(name, of, points) for name in ("data", "predictions"))


def test_labels_are_named_together() -> None:
    outputs = [{"name": name, "type": "label", "classes": [0, 1]} for name in ("old", "red")]
    of = signature("multilabel", *outputs)
    targets = torch.stack([torch.arange(ROWS) % 2, torch.arange(ROWS) % 3 == 0], dim=1).double()
    answers = (targets * 0.8 + 0.1).float()
    answers[51] = torch.tensor([0.9, 0.6])
    answers[54, 1] = 0.2
    points = recorded(of, targets, answers)
    assert points.examples is not None
    assert [(each.truth, each.answer) for each in points.examples.worst][:2] == [
        ("red", "(none)"),
        ("old, red", "old, red"),
    ]
    assert [each.rows for each in points.examples.groups] == [20, 14]
    assert "Rows with each label" in chart("data", of, points)


@pytest.mark.parametrize(
    ("shape", "pictured"),
    [
        ([5, 4], (4, 5, 1)),
        ([3, 5, 4], (4, 5, 3)),
        ([5, 4, 1], (4, 5, 1)),
        ([7, 3, 5, 4], (4, 5, 3)),
        ([2, 5, 4], None),
        ([9], None),
    ],
)
def test_what_has_height_and_width_is_a_picture(shape: list[int], pictured: tuple[int, int, int] | None) -> None:
    assert picture_shape(shape) == (pictured is not None)
    if pictured is not None:
        values = torch.linspace(-3, 5, torch.Size(shape).numel()).reshape(shape)
        values.view(-1)[1] = torch.nan
        made = picture(values)
        assert (made.width, made.height, made.channels) == pictured
        assert min(made.bytes) == 0 and picture(torch.full(shape, torch.inf)).bytes == bytes(len(made.bytes))


def test_filters_are_those_of_the_first_convolution() -> None:
    first = nn.Conv2d(1, 80, 3)
    with torch.no_grad():
        first.weight.zero_()
        first.weight[1, 0, 0, 0] = -2
    network = nn.Sequential(first, nn.Conv2d(80, 2, 3))
    made = filters(network)
    assert len(made) == 64 and made[0].bytes == bytes([128] * 9) and made[1].bytes == bytes([0] + [128] * 8)
    assert filters(nn.Linear(2, 2)) == []
    assert filters(nn.Conv3d(3, 2, 3))[0].channels == 3 and filters(nn.Conv2d(7, 2, 3))[0].channels == 1


def test_a_picture_has_the_pixels_that_it_says() -> None:
    with pytest.raises(ValueError, match="expected 4 bytes in base64"):
        Picture(width=2, height=2, channels=1, pixels="AAAA")
    with pytest.raises(ValueError, match="expected 4 bytes in base64"):
        Picture(width=2, height=2, channels=1, pixels="<svg>")
