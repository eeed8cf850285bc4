"""A column of texts is told from one of categories, surveyed, and trained with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from service.serving.codecs.instances import from_body, from_texts
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.schema import Column
from service.workflow.data.survey import survey
from service.workflow.data.table_survey import Survey
from service.workflow.errors import InvalidSpec
from service.workflow.learn import predict
from service.workflow.resolve import resolve
from service.workflow.spec import parse
from tests.workflow.learning import Trained, train

NOUNS = ["cat", "dog", "tram", "river", "teacher", "bakery", "violin", "mountain", "letter", "window"]
VERBS = ["sees", "follows", "draws", "forgets", "waits for", "talks about", "dreams of"]
SENTENCES = [
    f"The {noun} {verb} the {NOUNS[(at + k) % len(NOUNS)]}, {'and everybody is happy' if at % 2 else 'but nobody likes it'}."
    for k, verb in enumerate(VERBS)
    for at, noun in enumerate(NOUNS)
]
NAMES = [
    f"{'Ms' if k % 2 else 'Mr'}. {first} {chr(65 + k)}. Featherstonehaugh"
    for k in range(9)
    for first in ("Ann", "Bo", "Cy")
]
CHINESE = [f"我昨天在图书馆里读了第{at}本关于历史的书,觉得非常有意思" for at in range(30)]
NEITHER = {
    "names": NAMES,
    "UUIDs": [f"{at * 0x1234567:08x}-1b7d-4f4c-9c29-8d8f7b3f{at:04x}" for at in range(40)],
    "paths": [f"C:\\Users\\me\\My Documents\\report {at} of the year.docx" for at in range(40)],
    "addresses in the web": [f"https://example.com/a-long-path-of-words?page={at}" for at in range(40)],
    "addresses of houses": [f"{at} Great Portland Street, London W1W {at}AB" for at in range(40)],
    "short texts": ["the cat", "a dog", "no cat at all"] * 10,
    "few different sentences": SENTENCES[:10] * 10,
    "too few rows": SENTENCES[:19],
    "log lines": [f"2026-01-01 12:00:{at:02d} ERROR host=10.0.0.{at} code={at * 7} retry=3" for at in range(40)],
}


def surveyed(path: Path, texts: list[str | None], types: Mapping[str, str] | None = None) -> Survey:
    """The survey of a file with these texts, and a number and a word beside them."""
    lines = [{"review": text, "stars": at % 5, "word": "ab"[at % 2]} for at, text in enumerate(texts)]
    (path / "file").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    options = ReadingOptions.model_validate({} if types is None else {"types": types})
    return survey(path / "file", "application/x-ndjson", options)


def review(found: Survey) -> Column:
    """The column of texts."""
    return found.schema.columns[0]


@pytest.mark.parametrize("texts", [SENTENCES, CHINESE, [each.upper().lower() for each in SENTENCES]])
def test_sentences_are_texts(texts: list[str], tmp_path: Path) -> None:
    column = review(surveyed(tmp_path, [*texts, None, " "]))
    assert (column.type, column.missing, column.values, column.counts_rows) == ("text", 2, None, False)
    assert column.is_feature(len(texts) + 2)
    assert "words on average" in column.reason


@pytest.mark.parametrize("texts", NEITHER.values(), ids=NEITHER.keys())
def test_what_only_names_something_is_a_category(texts: list[str | None], tmp_path: Path) -> None:
    assert review(surveyed(tmp_path, texts)).type == "category"


def test_a_word_for_a_missing_value_leaves_a_text_a_text(tmp_path: Path) -> None:
    assert review(surveyed(tmp_path, [*SENTENCES, "NA", "none"])).type == "text"


def test_the_owner_decides(tmp_path: Path) -> None:
    assert review(surveyed(tmp_path, [*SENTENCES], {"review": "category"})).type == "category"
    found = review(surveyed(tmp_path, [*NAMES], {"review": "text"}))
    assert (found.type, found.reason, found.counts_rows) == ("text", "requested", False)


def test_statistics_are_those_of_the_lengths(tmp_path: Path) -> None:
    texts: list[str | None] = ["a", *["two words"] * 17, "x" * 3000, None, "three more words"]
    found = surveyed(tmp_path, texts, {"review": "text"})
    expected = {"length": {"min": 1, "median": 9, "p95": 16, "max": 3000}, "words": {"median": 2}, "distinct": 4}
    assert review(found).statistics == expected
    assert len(str(found.head[18]["review"])) == 1000
    records = [{"review": text, "y": at} for at, text in enumerate(SENTENCES)]
    data = {"kind": "rows", "records": records, "target": "y"}
    _, schema = parse({"model_name": "m", "data": data}).data.survey(None)  # type: ignore[arg-type]
    assert schema.columns[0].statistics["distinct"] == len(set(SENTENCES))


def test_many_different_texts_are_counted_nearly(tmp_path: Path) -> None:
    count = 150_000
    (tmp_path / "file").write_bytes(
        b"review\n" + b"".join(b"a text with the number %d in it\n" % at for at in range(count))
    )
    found = survey(tmp_path / "file", "text/csv", ReadingOptions.model_validate({"types": {"review": "text"}}))
    assert review(found).statistics["distinct"] == pytest.approx(count, rel=0.03)


def spec(features: object = None, model: object = None, **more: Any) -> dict[str, Any]:
    """A spec of a training on sentences, of which every other one is good."""
    records = [{"review": text, "long": len(text), "good": at % 2} for at, text in enumerate(SENTENCES)]
    data = {"kind": "rows", "records": records, "target": "good", "features": features or ["review"]}
    made = {
        "model_name": "m",
        "data": data,
        "optimizer": {"name": "Adam", "lr": 0.05},
        "training": {"epochs": 10, "batch_size": 16, "early_stopping": None},
        **more,
    }
    return made | ({} if model is None else {"model": model})


def trained(*given: Any, **more: Any) -> Trained:
    """A training on sentences."""
    return train(spec(*given, **more))


def test_a_text_is_learned_from_and_predicted_from() -> None:
    learned = trained().learned
    (given,) = learned.signature.inputs
    assert given.type == "text" and given.text is not None and given.text.encoding == "ngrams"
    said = ["They met, and everybody is happy.", "They met, but nobody likes it."]
    instances = {"instances": [{"review": said[0]}, {"review": said[1]}, {"review": None}]}
    answers = predict(learned.model, from_body(learned.signature, instances, missing_allowed=True))
    good, bad, missing = answers[:, 1].tolist()
    assert good > 0.5 > bad and bad < missing < good
    queried = from_texts(learned.signature, {"review": said}, missing_allowed=True)
    assert predict(learned.model, queried)[:, 1].tolist() == pytest.approx([good, bad])


def test_a_network_that_reads_in_order_gets_byte_pairs() -> None:
    features = {"review": {"type": "text", "vocabulary": 300}, "long": {"type": "number"}}
    made = trained(
        features,
        {"kind": "fusion", "encoders": {"review": {"kind": "transformer", "dim": 16, "depth": 1}}},
        training={"epochs": 1},
    )
    text = made.learned.signature.inputs[0].text
    assert text is not None and text.encoding == "bpe" and text.merges and text.ids <= 300
    resolved = made.resolved.spec.data.features["review"].model_dump(exclude_none=True)  # type: ignore[call-overload,index]
    assert resolved == {"type": "text", "encoding": "bpe", "vocabulary": 300, "length": resolved["length"]}
    plain = {"review": {"type": "text"}}
    for model, encoding in (({"kind": "recurrent"}, "bpe"), ({"kind": "text_embedding"}, "ngrams"), (None, "ngrams")):
        _, schema = (parsed := parse(spec(plain, model))).data.survey(None)  # type: ignore[arg-type]
        found = resolve(parsed, schema).signature.inputs[0].text
        assert found is not None and found.encoding == encoding


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"encoding": "bpe", "buckets": 10}, '/data/features/review/buckets: is an option of "encoding": "ngrams"'),
        (
            {"encoding": "ngrams", "vocabulary": 400},
            '/data/features/review/vocabulary: is an option of "encoding": "bpe"',
        ),
        ({"ngrams": [4, 1]}, "/data/features/review/ngrams: expected the smallest"),
        ({"ngrams": [1]}, "/data/features/review/ngrams"),
        ({"length": 0}, "/data/features/review/length"),
        ({"vocabulary": 10**6}, "/data/features/review/vocabulary"),
        ({"encoding": "words"}, "/data/features/review/encoding"),
        ({"bucket": 10}, "did you mean 'buckets'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        parsed = parse(spec({"review": {"type": "text", **options}}))
        resolve(parsed, parsed.data.survey(None)[1])  # type: ignore[arg-type]
    assert fault in str(refusal.value)


def test_a_text_is_no_target() -> None:
    records = [{"review": text, "x": at} for at, text in enumerate(SENTENCES)]
    parsed = parse({"model_name": "m", "data": {"kind": "rows", "records": records, "target": "review"}})
    with pytest.raises(InvalidSpec, match="'review' holds texts to be read"):
        resolve(parsed, parsed.data.survey(None)[1])  # type: ignore[arg-type]


def test_a_category_can_be_read_as_a_text_and_a_text_as_a_category() -> None:
    records = [{"word": "ab"[at % 2], "review": text, "y": at % 2} for at, text in enumerate(SENTENCES)]
    features = {"word": {"type": "text"}, "review": {"type": "category"}}
    data = {"kind": "rows", "records": records, "target": "y", "features": features}
    learned = train({"model_name": "m", "data": data, "training": {"epochs": 1}}).learned
    word, told = learned.signature.inputs
    assert word.shape is not None and word.shape[0] < 20 and told.categories is not None
    assert np.isfinite(learned.evaluation.metrics["test"]["accuracy"] or 0.0)
