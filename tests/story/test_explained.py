"""Why a model answers as it does: a table with an identifier and a column made from the target is trained, warned of, trained
again without them, and its answers are explained."""

import random

import pytest

from tests.harness.server import Server


def rows() -> list[str]:
    """A table as CSV: the price comes from the area and the town; two columns must not be learned from."""
    draw, made = random.Random(11), []  # noqa: S311 - test data
    for at in range(400):
        area, town, noise = draw.uniform(30, 200), draw.choice(["Ulm", "Ulm", "Bonn", "Kiel"]), draw.gauss(0, 1)
        price = round(3 * area + (100 if town == "Bonn" else 0) + 5 * draw.gauss(0, 1), 2)
        made.append(f"{1000 + at},{area:.2f},{town},{noise:.3f},{1.19 * price:.6f},{price}")
    return ["customer,area,town,noise,gross,price", *made]


def test_a_model_is_warned_of_mended_and_explained(server: Server) -> None:
    client = server.client
    client.upload_dataset("explained-houses", "\n".join(rows()).encode(), "text/csv")
    data = {"kind": "dataset", "dataset": "explained-houses", "target": "price"}
    spec = {"model_name": "explained-houses", "data": data, "training": {"epochs": 60}}
    first = client.train(spec).wait().refresh()
    assert any(each.startswith("'customer' numbers the rows") for each in first.warnings), first.warnings
    assert any(each.startswith("'gross' is the target 'price' itself") for each in first.warnings), first.warnings

    spec["data"] = {**data, "features": ["area", "town", "noise"]}
    version = client.train(spec).wait().refresh()
    assert not hasattr(version, "warnings")
    assert version.baseline["town"] == "Ulm" and version.baseline["area"] == pytest.approx(115, abs=10)
    large = {"area": 190.0, "town": "Bonn", "noise": 0.0}
    found = version.explain([large, {**large, "area": version.baseline["area"]}])
    base = found.baseline["prediction"]
    for added, prediction in zip(found.attributions, found.predictions, strict=True):
        assert sum(added.values()) == pytest.approx(prediction - base, rel=0.011, abs=0.5)
    one, other = found.attributions
    assert one["area"] > 150 and abs(other["area"]) < 40, "3 for each of 75 square metres, and none"
    assert one["area"] > one["town"] > abs(one["noise"])
    drawn = bytes(version.plot("partial_dependence", "svg"))
    assert b"Partial dependence" in drawn and b"town" in drawn
    assert "partial_dependence" in version.card()
