"""Long texts of a table are not stored with a model."""

import orjson

from service.workflow.data.types.category import LONGEST_CATEGORY
from service.workflow.look.sampling import LONGEST_TEXT
from tests.workflow.learning import houses, spec, train


def test_stored_models_contain_no_long_texts() -> None:
    records = [
        row | {"colour": str(row["colour"]) * (1 if at % 2 else 30_000), "kind": str(row["kind"]) + "x" * 3000}
        for at, row in enumerate(houses(60))
    ]
    learned = train(spec("kind", data={"records": records})).learned
    (colour,) = (each for each in learned.signature.inputs if each.name == "colour")
    assert {"red", "green", "blue"} <= set(colour.categories or ())
    assert max(map(len, colour.categories or ())) <= LONGEST_CATEGORY
    points = learned.points
    assert (
        max(len(str(each)) for each in [*points.features["colour"], *points.truth, *points.prediction]) <= LONGEST_TEXT
    )
    assert len(set(points.truth)) == 3
    assert len(orjson.dumps(points.model_dump())) < 1_000_000
