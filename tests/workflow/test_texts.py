"""Texts become ids: of hashed n-grams, or of pieces in a byte-pair vocabulary."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.data.table import Texts
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.texts.byte_pairs import train_merges, vocabulary_of
from service.workflow.data.texts.encoding import TextEncoding
from service.workflow.data.texts.ngrams import MIXER, MULTIPLIER, most_ngrams, ngram_ids
from service.workflow.data.texts.normalize import MOST_CHARACTERS, normalized
from service.workflow.data.types.text import Text
from service.workflow.data.values import texts
from service.workflow.errors import InvalidData
from service.workflow.signature import Input
from tests.examples import examples

SENTENCES = ["the cat sat on the mat", "the dog sat on the log", "ein Hund, eine Katze", "мир и дом", "猫が好きです"]
MERGES = train_merges(SENTENCES * 3, 300)
NGRAMS = TextEncoding(encoding="ngrams", ngrams=[1, 4], buckets=1000)
BYTE_PAIRS = TextEncoding(encoding="bpe", vocabulary=len(vocabulary_of(MERGES)) + 1, merges=MERGES)
HOSTILE = {
    "ten megabytes": "long text " * 1_000_000,
    "one word of ten megabytes": "x" * 10_000_000,
    "combining marks": "a" + "\u0301\u0323" * 50_000,
    "what grows when it is normalized": "\ufdfa" * 20_000,
    "NUL bytes": "a\0b" * 1000,
    "lone surrogates": "\ud800 \udfff",
    "right to left": "\u202eשלום עולם\u202c مرحبا",
    "emoji": "👩‍👩‍👧🏳️‍🌈🎉" * 1000,
    "only what has no width": "\u200b\ufeff\u2060" * 1000,
    "only spaces": " \n\t\r" * 1000,
}
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)  # surrogates too


def of(encoding: TextEncoding, length: int = 40) -> Input:
    """An input with this encoding."""
    return Input(name="review", type="text", shape=[length], text=encoding)


def ids(encoding: TextEncoding, given: Sequence[str | None], length: int = 40) -> torch.Tensor:
    """The ids of texts [n, length]."""
    return Text().to_tensor(of(encoding, length), texts(given), TensorCache())


def one_by_one(text: str, sizes: tuple[int, int], buckets: int) -> list[int]:
    """The definition of n-grams, in plain Python."""
    if not (bare := normalized(text)):
        return []
    padded = f" {bare} "
    pieces = [
        padded[at : at + size]
        for size in range(sizes[0], sizes[1] + 1)
        for at in range(len(padded) - size + 1)
        if padded[at : at + size] != " " and " " not in padded[at + 1 : at + size - 1]
    ]
    found = []
    for piece in [*pieces, *(f" {word} \1" for word in bare.split(" "))]:
        mixed = 0
        for character in piece:
            mixed = (mixed * MULTIPLIER + ord(character)) % 2**64
        mixed = (mixed ^ mixed >> 32) * MIXER % 2**64
        found.append(1 + (mixed ^ mixed >> 32) % (buckets - 1))
    return found


@given(st.lists(ANY_TEXT, max_size=5), st.tuples(st.integers(1, 8), st.integers(1, 8)).map(sorted))
@settings(deadline=None, max_examples=examples(100))
def test_ngrams_are_those_of_the_definition(given: list[str], sizes: list[int]) -> None:
    low, high = sizes
    expected = [one_by_one(text, (low, high), 1000) for text in given]
    length = max(1, *map(len, expected)) if expected else 1
    found = ngram_ids(given, (low, high), 1000, length)
    assert [row[row > 0].tolist() for row in found] == expected
    assert all(
        len(row) <= most_ngrams(len(normalized(text)), (low, high)) for row, text in zip(expected, given, strict=True)
    )
    half = ngram_ids(given, (low, high), 1000, length // 2 + 1)
    for row, whole in zip(half, expected, strict=True):
        assert set(row.tolist()) <= {0, *whole} and np.count_nonzero(row) == min(len(whole), length // 2 + 1)


@given(st.lists(st.none() | ANY_TEXT, max_size=6))
@pytest.mark.parametrize("encoding", [NGRAMS, BYTE_PAIRS], ids=["ngrams", "bpe"])
@settings(deadline=None, max_examples=examples(60))
def test_any_text_has_ids_and_equal_texts_have_equal_ones(encoding: TextEncoding, given: list[str | None]) -> None:
    found = ids(encoding, given)
    assert found.dtype == torch.int32 and found.shape == (len(given), 40)
    assert bool(((found >= 0) & (found < encoding.ids)).all())
    for text, row in zip(given, found, strict=True):
        assert torch.equal(ids(encoding, [text])[0], row)
        filled = int(row.count_nonzero())
        assert not row[filled:].any()  # 0 comes after all others
        assert (filled == 0) == (text is None or normalized(text) == "")


@pytest.mark.parametrize("encoding", [NGRAMS, BYTE_PAIRS], ids=["ngrams", "bpe"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_has_ids(encoding: TextEncoding, text: str) -> None:
    (row,) = ids(encoding, [text])
    assert bool(row.any()) == bool(text.strip(" \n\t\r\u200b\ufeff\u2060"))
    assert len(normalized(text)) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("é", "e\u0301"),
        ("ﬁn", "fin"),
        ("a\u200bb", "ab"),
        ("a\0\n b", "a b"),
        ("\ud800", "\ufffd"),
    ],
)
def test_texts_that_readers_take_for_the_same_have_the_same_ids(one: str, other: str) -> None:
    for encoding in (NGRAMS, BYTE_PAIRS):
        first, second = ids(encoding, [one, other])
        assert torch.equal(first, second)


CODE = """
import sys
from service.workflow.data.texts.byte_pairs import byte_pair_ids, train_merges
from service.workflow.data.texts.ngrams import ngram_ids
given = sys.stdin.read().split("|")
merges = train_merges(given * 3, 300)
print(ngram_ids(given, (1, 4), 1000, 40).tolist(), byte_pair_ids(given, merges, 40).tolist())
print(sorted({"torch", "polars", "huggingface_hub"} & {*sys.modules}))
"""


def test_ids_do_not_depend_on_the_process() -> None:
    environment = {"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path), "PYTHONUTF8": "1"}
    given, command = "|".join(SENTENCES).encode(), [sys.executable, "-c", CODE]
    found = subprocess.run(command, input=given, env=environment, capture_output=True, check=True)  # noqa: S603
    made, loaded = found.stdout.decode().splitlines()
    assert made == f"{ids(NGRAMS, SENTENCES).tolist()} {ids(BYTE_PAIRS, SENTENCES).tolist()}"
    assert loaded == "[]"


def test_pieces_spell_the_text_and_survive_json() -> None:
    known = Input.model_validate_json(of(BYTE_PAIRS).model_dump_json(exclude_none=True))
    assert known == of(BYTE_PAIRS)
    pieces = {at: piece for piece, at in vocabulary_of(MERGES).items()}
    (row,) = Text().to_tensor(known, texts(["the cat sat"]), TensorCache())
    assert "".join(pieces[at] for at in row[row > 0].tolist()) == "ĠtheĠcatĠsat"
    assert len(row[row > 0]) < len("the cat sat")


def test_only_the_texts_of_the_training_rows_are_learned_from() -> None:
    column = Texts(np.array([0, 0, 1, -1], np.int32), ["abcabcabc abcabcabc", "abc", "xyzxyz xyzxyz xyzxyz xyzxyz"])
    draft = of(TextEncoding(encoding="bpe", vocabulary=400), 50)
    fitted = draft.model_copy(update=Text().fitted_fields(column, draft))
    assert fitted.text is not None and "abc" in vocabulary_of(fitted.text.merges or "")
    assert (
        "xyz" not in vocabulary_of(fitted.text.merges or "") and fitted.shape is not None and 1 <= fitted.shape[0] < 50
    )
    assert fitted.text.ids == len(vocabulary_of(fitted.text.merges or "")) + 1


def test_ids_of_a_request_are_checked() -> None:
    kind, given = Text(), of(NGRAMS, 2)
    assert kind.to_tensor(given, np.array([[5.0, 0.0]]), TensorCache()).tolist() == [[5, 0]]
    for wrong in ([[1000, 0]], [[-1, 0]], [[0.5, 0]], [[np.nan, 0]]):
        with pytest.raises(InvalidData, match="whole numbers from 0 to 999"):
            kind.to_tensor(given, np.array(wrong), TensorCache())
    with pytest.raises(InvalidData, match=r"expected ids \[n, 2\]"):
        kind.to_tensor(given, np.zeros((1, 3)), TensorCache())


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"shape": [2, 3]}, "/shape: expected one length"),
        ({"text": None}, "/text: expected how its texts become ids"),
        ({"text": TextEncoding(encoding="ngrams", ngrams=[4, 1], buckets=10)}, "/text: `ngrams` are"),
        ({"text": TextEncoding(encoding="ngrams", ngrams=[1, 4], buckets=2**40)}, "/text: `buckets` are"),
        ({"text": TextEncoding(encoding="bpe", vocabulary=10)}, "/text: `merges` has"),
        ({"text": TextEncoding(encoding="bpe", vocabulary=258, merges="a nothing")}, "/text: each line of `merges`"),
        ({"text": TextEncoding(encoding="bpe", vocabulary=10, merges="a b")}, "/text: `vocabulary` is 258"),
    ],
)
def test_a_manifest_of_elsewhere_is_checked(changed: dict[str, Any], fault: str) -> None:
    assert Text().manifest_fault(of(NGRAMS)) is Text().manifest_fault(of(BYTE_PAIRS)) is None
    assert (Text().manifest_fault(of(NGRAMS).model_copy(update=changed)) or "").startswith(fault)
