"""Texts that are read, such as sentences: a network looks up ids of their parts."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from service.workflow.data.schema import Column
from service.workflow.data.table import Numbers, Texts, Values
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.texts.byte_pairs import most_pieces, train_merges, vocabulary_of
from service.workflow.data.texts.encoding import LARGEST_NGRAM, MOST_BUCKETS, EncodingName, TextEncoding
from service.workflow.data.texts.ngrams import most_ngrams
from service.workflow.data.texts.normalize import normalized
from service.workflow.data.texts.sentences import FEWEST_ROWS, wording_of
from service.workflow.data.types.category import Category
from service.workflow.data.types.column_type import TypeSurvey
from service.workflow.data.types.feature import Feature
from service.workflow.data.types.how import How
from service.workflow.data.types.names import Scalar
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.data.types.text_survey import TextSurvey
from service.workflow.errors import InvalidData, invalid

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from service.workflow.data.types.evidence import Evidence
    from service.workflow.signature import Input

NGRAMS, BUCKETS, VOCABULARY = (1, 4), 131_072, 8000
MOST_NGRAMS, MOST_PIECES = 512, 256  # ids of a text, if the spec does not say
LONGEST = 4096  # ids of a text
MOST_VOCABULARY = 30_000
ENCODED_AT_ONCE = 4096  # distinct texts
LONGEST_PLOTTED = 200  # characters
_CATEGORY = Category()  # a text is read from files and requests as a category is


class TextFeature(Feature):
    """How the texts of a column become ids. `ngrams` (the smallest and the largest number of characters) and `buckets` are
    options of the encoding `ngrams`, `vocabulary` is one of `bpe`; `length` is the most ids of a text."""

    type: Literal["text"]
    encoding: EncodingName | None = None
    ngrams: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    buckets: int | None = Field(default=None, ge=2, le=MOST_BUCKETS)
    vocabulary: int | None = Field(default=None, ge=300, le=MOST_VOCABULARY)
    length: int | None = Field(default=None, ge=1, le=LONGEST)


class Text(ShapedType):
    """A text; int32 [n, length], ids of its n-grams or of its pieces in a byte-pair vocabulary."""

    name: ClassVar[str] = "text"
    precedence: ClassVar[int] = 2  # before categories: any text is one
    survey: ClassVar[type[TypeSurvey]] = TextSurvey
    texts: ClassVar[bool] = True
    dates: ClassVar[bool] = True
    lists_values: ClassVar[bool] = False
    fits_fields: ClassVar[bool] = True
    no_target: ClassVar[str | None] = "holds texts to be read, such as sentences"
    expects: ClassVar[str] = "a text"
    example: ClassVar[Scalar | None] = "A text, such as a sentence."
    feature: ClassVar[type[Feature]] = TextFeature
    media_types: ClassVar[tuple[str, ...]] = ("text/plain",)
    quick_bytes: ClassVar[int] = 2048  # half a millisecond

    def fits(self, evidence: "Evidence") -> str | None:
        """If there are enough texts, more than half of them different, and they are sentences."""
        texts, seen = evidence.texts, sum(evidence.texts.values())
        if evidence.typed or evidence.others_seen < FEWEST_ROWS or 2 * evidence.numbers > evidence.others:
            return None
        if 2 * len(texts) <= seen or not (found := wording_of(texts)).is_sentences:
            return None
        share = f"{100 * len(texts) // seen} % of them different"
        return f"texts of {found.characters:.0f} characters and {found.words:.0f} words on average, {share}"

    def parse(self, series: "pl.Series", how: How) -> "pl.Series":
        """Texts, null for a missing value. Other values become texts as in JSON."""
        return _CATEGORY.parse(series, how)

    def from_value(self, value: Any, how: How) -> str | None:
        """A text; a number or boolean as JSON writes it."""
        return _CATEGORY.from_value(value, how)

    def from_text(self, text: str, how: How) -> str | None:
        """The text itself."""
        return _CATEGORY.from_text(text, how)

    def refusal(self, column: Column) -> str | None:
        """Any column can be read as texts, but those of files or tensors."""
        return super().refusal(column) if self.name in column.misfits else None

    def plotted(self, value: float | str) -> Scalar:
        """Its beginning."""
        return value[:LONGEST_PLOTTED] if isinstance(value, str) else value

    # A column as an input

    def suited(self, feature: Feature, text_encoding: EncodingName) -> Feature:
        """With that encoding, unless the feature names one, or an option of one."""
        assert isinstance(feature, TextFeature)  # noqa: S101 - it was validated as one
        given = (feature.encoding, feature.ngrams, feature.buckets, feature.vocabulary)
        return feature if any(given) else feature.model_copy(update={"encoding": text_encoding})

    def resolved(self, feature: Feature, column: Column) -> Feature:
        """With the default encoding (`ngrams`), and a length that is enough for 95 % of the column's texts, within a limit."""
        assert isinstance(feature, TextFeature)  # noqa: S101 - it was validated as one
        if feature.encoding is None and feature.vocabulary is not None:
            feature = feature.model_copy(update={"encoding": "bpe"})
        _check_options(feature)
        longest = column.statistics.get("length", {}).get("p95", math.inf)
        if feature.encoding == "bpe":
            filled: dict[str, Any] = {"vocabulary": feature.vocabulary or VOCABULARY}
            length = min(MOST_PIECES, longest + 1)  # pieces have about four characters, or one, and more bytes
        else:
            sizes = feature.ngrams or list(NGRAMS)
            filled = {"encoding": "ngrams", "ngrams": sizes, "buckets": feature.buckets or BUCKETS}
            most = MOST_NGRAMS if longest >= MOST_NGRAMS else most_ngrams(int(longest), (sizes[0], sizes[1]))
            length = min(MOST_NGRAMS, most)
        return feature.model_copy(update={**filled, "length": feature.length or int(max(1, length))})

    def in_words(self, shape: Sequence[int]) -> str:
        """How much of a text is read."""
        return f"texts, of each the first {shape[0]:,} n-grams or pieces"

    def shaped_fields(self, feature: Feature) -> dict[str, Any]:
        """The shape [length] and the encoding, as yet without a vocabulary."""
        assert isinstance(feature, TextFeature)  # noqa: S101 - it was validated as one
        options = feature.model_dump(include={"encoding", "ngrams", "buckets", "vocabulary"})
        return {"shape": [feature.length], "text": TextEncoding.model_validate(options)}

    def fitted_fields(self, column: Values, of: "Input") -> dict[str, Any]:
        """The vocabulary of the training rows, if there is to be one, and a shape no longer than their longest text."""
        texts, encoding = _distinct(column), _encoding(of)
        if encoding.encoding == "bpe":
            merges = train_merges(_repeated(column), encoding.ids)
            size = len(vocabulary_of(merges)) + 1
            encoding = encoding.model_copy(update={"merges": merges, "vocabulary": size})
            most = most_pieces(texts, merges)
        else:
            smallest, largest = encoding.ngrams or NGRAMS
            most = most_ngrams(max((len(normalized(each)) for each in texts), default=0), (smallest, largest))
        return {"shape": [max(1, min(_length(of), most))], "text": encoding}

    def manifest_fault(self, of: "Input") -> str | None:
        """Without one length, or without an encoding that can be used."""
        if of.shape is None or len(of.shape) != 1 or of.shape[0] > LONGEST:
            return f"/shape: expected one length, of at most {LONGEST} ids"
        if of.text is None:
            return "/text: expected how its texts become ids"
        fault = of.text.fault()
        return None if fault is None else f"/text: {fault}"

    def ids(self, of: "Input") -> int | None:
        """The number of buckets, or the size of the vocabulary."""
        return _encoding(of).ids

    def to_tensor(self, of: "Input", column: Values, cache: TensorCache) -> "Tensor":
        """The ids int32 [n, length], 0 after those of a text; only 0 for a missing one. Each distinct text is encoded once."""
        import torch

        length = _length(of)
        if isinstance(column, np.ndarray):
            return torch.from_numpy(_checked(column, length, _encoding(of).ids))
        assert isinstance(column, Texts)  # noqa: S101 - it was read as texts
        ids = cache.empty((len(column), length), torch.int32)
        filled = ids.numpy()
        order = np.argsort(column.codes, kind="stable")
        codes = column.codes[order]
        filled[order[: np.searchsorted(codes, 0)]] = 0
        for first in range(0, len(column.values), ENCODED_AT_ONCE):
            texts = column.values[first : first + ENCODED_AT_ONCE]
            upto = slice(np.searchsorted(codes, first), np.searchsorted(codes, first + len(texts)))
            if upto.start < upto.stop:
                filled[order[upto]] = _encoding(of).encode(texts, length)[codes[upto] - first]
        return ids

    def blank(self, of: "Input", rows: int) -> "Tensor":
        """The ids of missing texts."""
        import torch

        return torch.zeros(rows, _length(of), dtype=torch.int32)

    def from_request(self, of: "Input", values: Sequence[Any]) -> Values:
        """The texts; None, and a word for it in the data, is a missing one."""
        from service.workflow.data.table import RequestedColumn
        from service.workflow.data.values import column  # which imports the registry of types

        return column(values, RequestedColumn(self.name), of.how)


def _check_options(feature: TextFeature) -> None:
    """Checks that the options are those of the encoding.

    Raises:
        InvalidSpec: one is not.
    """
    others = ("ngrams", "buckets") if feature.encoding == "bpe" else ("vocabulary",)
    for name in others:
        if getattr(feature, name) is not None:
            other = "ngrams" if feature.encoding == "bpe" else "bpe"
            raise invalid(f"/{name}", f'is an option of "encoding": "{other}"')
    if feature.ngrams is not None and not 1 <= feature.ngrams[0] <= feature.ngrams[1] <= LARGEST_NGRAM:
        message = (
            f"expected the smallest and the largest number of characters, such as [1, 4], within 1 to {LARGEST_NGRAM}"
        )
        raise invalid("/ngrams", message)


def _encoding(of: "Input") -> TextEncoding:
    assert of.text is not None  # noqa: S101 - `shaped_fields` sets it, and a manifest is checked
    return of.text


def _length(of: "Input") -> int:
    assert of.shape is not None  # noqa: S101 - `shaped_fields` sets it, and a manifest is checked
    return of.shape[0]


def _distinct(column: Values) -> list[str]:
    """The texts that the rows have, in order of their codes."""
    assert isinstance(column, Texts)  # noqa: S101 - it was read as texts
    there = np.unique(column.codes[column.codes >= 0])
    return [column.values[code] for code in there.tolist()]


def _repeated(column: Values) -> list[str]:
    """The text of each row that has one, sorted by its code, so that it does not depend on the order of the rows."""
    assert isinstance(column, Texts)  # noqa: S101 - it was read as texts
    return [column.values[code] for code in np.sort(column.codes[column.codes >= 0]).tolist()]


def _checked(ids: Numbers, length: int, most: int) -> Numbers:
    """Ids int32 [n, length] from an array of a request.

    Raises:
        InvalidData: they are no ids of this model.
    """
    if ids.ndim != 2 or ids.shape[1] != length:
        raise InvalidData(f"expected ids [n, {length}], not an array of shape {list(ids.shape)}")
    if len(ids) and not ((ids >= 0) & (ids < most) & (ids == np.floor(ids))).all():
        raise InvalidData(f"expected ids, whole numbers from 0 to {most - 1}, where 0 is after the last one")
    return ids.astype(np.int32)
