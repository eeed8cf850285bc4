"""The bill of materials is valid CycloneDX for every version, says what the version records, and is always the same."""

import json
from functools import cache
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store import Version
from service.use_cases.bill_of_materials import bill_of_materials
from tests.examples import examples

WORDS = st.text(min_size=1, max_size=12)
DIGESTS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True) | WORDS
METRICS = st.dictionaries(WORDS, st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=3)
COLUMNS = st.lists(st.fixed_dictionaries({"name": WORDS, "type": st.sampled_from(["number", "class"])}), min_size=1)
# As `ModelManifest` accepts them in a bundle.
MANIFESTS = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {
                "data": st.sampled_from([{"kind": "line"}, {"kind": "dataset"}]),
                "model": st.just({"kind": "tabm"}),
                "loss": st.just({"name": "L1Loss"}),
                "optimizer": st.just({"name": "SGD"}),
                "training": st.just({"seed": 1}),
            },
            optional={
                "initial": st.none() | st.just("houses@3"),
                "notes": st.none() | st.text(max_size=20),
                "license": st.none() | WORDS,
            },
        ),
        "signature": st.fixed_dictionaries({"task": st.just("regression"), "inputs": COLUMNS, "outputs": COLUMNS}),
        "metrics": st.dictionaries(WORDS, METRICS, max_size=3),
        "environment": st.dictionaries(
            st.sampled_from(["modelwright", "torch", "python", "threads"]) | WORDS,
            st.none() | WORDS | st.integers(),
            max_size=6,
        ),
        "data": st.fixed_dictionaries(
            {}, optional={"digest": DIGESTS, "rows": st.integers(0), "dataset": WORDS, "version": st.integers(1)}
        ),
        "files": st.dictionaries(WORDS, st.just({"sha256": "0" * 64, "bytes": 0}), max_size=3),
    },
    optional={
        "split": st.dictionaries(WORDS, st.fixed_dictionaries({"rows": st.integers(0), "digest": WORDS}), max_size=3),
        "training": st.none() | st.just({"epochs": 1, "seconds": 0.5}),
        "parameters": st.integers(0),
        "job": st.none() | WORDS,
    },
)


@cache
def validator() -> JsonStrictValidator:
    return JsonStrictValidator(SchemaVersion.V1_6)


def version(manifest: dict[str, Any], **changed: Any) -> Version:
    about: dict[str, Any] = {"name": "houses", "number": 4, "digest": "f" * 64, "content": "c"}
    about["created_at"] = "2026-11-28T12:00:00.000000Z"
    return Version(**(about | changed), manifest=manifest)


@settings(max_examples=examples(60), deadline=None)
@given(manifest=MANIFESTS)
def test_every_document_is_valid_and_the_same_each_time(manifest: dict[str, Any]) -> None:
    text = json.dumps(bill_of_materials(version(manifest)))
    assert (error := validator().validate_str(text)) is None, error
    assert json.dumps(bill_of_materials(version(json.loads(json.dumps(manifest))))) == text


@pytest.fixture
def manifest() -> dict[str, Any]:
    return {
        "spec": {
            "data": {"kind": "dataset", "dataset": "sold", "version": 2},
            "model": {"kind": "tabm"},
            "loss": {"name": "MSELoss"},
            "optimizer": {"name": "AdamW"},
            "training": {"seed": 7},
            "initial": "houses@3",
            "notes": "Prices of houses in one town.",
            "license": "apache-2.0",
        },
        "signature": {"task": "regression", "inputs": [{"name": "area", "type": "number"}], "outputs": []},
        "metrics": {"test": {"r2": 0.5, "mae": None}},
        "environment": {"torch": "2.13.0+cpu", "python": "3.11.7", "threads": 1},
        "data": {"dataset": "sold", "version": 2, "digest": "a" * 64, "rows": 9},
        "files": {"state_dict.safetensors": {"sha256": "b" * 64, "bytes": 3}},
    }


def test_a_document_says_what_the_version_is_made_of(manifest: dict[str, Any]) -> None:
    document = bill_of_materials(version(manifest))
    model = document["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "houses", "4")
    assert model["licenses"] == [{"license": {"name": "apache-2.0"}}]
    hashes = {each["name"]: each["hashes"][0]["content"] for each in model["components"]}
    assert hashes == {"manifest.json": "f" * 64, "files/state_dict.safetensors": "b" * 64}
    (ancestor,) = model["pedigree"]["ancestors"]
    assert (ancestor["name"], ancestor["version"]) == ("houses", "3")
    card = model["modelCard"]
    assert card["modelParameters"]["inputs"] == [{"format": "area: number"}]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [{"type": "r2", "value": "0.5", "slice": "test"}]
    assert card["considerations"] == {"useCases": ["Prices of houses in one town."]}
    used = {each["bom-ref"]: each for each in document["components"]}
    assert used["data"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert used["torch"]["purl"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    assert document["dependencies"][0] == {"ref": "model", "dependsOn": ["data", "initial", "python", "torch"]}


def test_two_versions_have_different_serial_numbers(manifest: dict[str, Any]) -> None:
    versions = [version(manifest), version(manifest, number=5), version(manifest, digest="e" * 64)]
    assert len({bill_of_materials(each)["serialNumber"] for each in versions}) == 3
