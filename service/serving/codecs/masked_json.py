"""Masks the texts and nulls of JSON by 0, so that the rest is parsed as an array of numbers. The texts are compared by their
bytes, and each distinct one is decoded once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from service.serving.codecs.input_values import from_distinct
from service.serving.forward import Array
from service.workflow.data.table import Numbers, Texts
from service.workflow.signature import Input

A_NUMBER, A_NULL = -2, -1  # in place of the code of a text
FEW = 32  # distinct texts that are searched one after another
SHORT = 64  # bytes of a text up to which texts are compared in words of 8 bytes
MOST_QUOTES = 2**18  # the positions of each take some forty bytes in memory
QUOTE, COMMA, SPACE, ZERO = b'", 0'
NULL = b"null"
# The mask of a word of which this number of bytes belongs to the text.
_WORD_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.dtype("<u8"))


@dataclass(frozen=True, slots=True)
class Mask:
    """The distinct `texts`, the code of each text, which is its position in these, and the places of texts and nulls: the number
    of commas before each, which is its position among the flattened values if no list is empty."""

    texts: list[str]
    places: Array
    codes: Array
    nulls: Array

    def cells(self, count: int) -> Array:
        """For each of `count` values the code of its text, or `A_NUMBER` or `A_NULL`; int32 [count]."""
        found = np.full(count, A_NUMBER, np.int32)
        found[self.places] = self.codes
        found[self.nulls] = A_NULL
        return found


def has_texts_or_nulls(json: bytes | bytearray, start: int, end: int) -> bool:
    """Whether a part of a document may have texts or nulls."""
    return json.find(b'"', start, end) >= 0 or json.find(b"n", start, end) >= 0


def mask(json: bytearray, start: int, end: int) -> Mask | None:
    """Masks the texts and nulls in a part of a document, in place.

    If the result is valid JSON, so was the original: the 0 has a space on each side, and so never joins a number.

    Returns:
        None if a text is empty, unterminated, or has a backslash or an invalid character, or if there are too many texts.
    """
    if json.find(b"\\", start, end) >= 0 or json.find(b"\0", start, end) >= 0:
        return None
    made = np.frombuffer(json, np.uint8)[start:end]
    are_quotes = made == QUOTE
    count = int(np.count_nonzero(are_quotes))
    if count % 2 or count > MOST_QUOTES:
        return None
    quotes = np.flatnonzero(are_quotes)
    starts, ends = quotes[::2], quotes[1::2]
    distinct = _distinct_texts(made, starts + 1, ends)
    if distinct is None or not _mask_texts(made, starts, ends - starts + 1):
        return None
    nulls = np.flatnonzero(made == NULL[0])
    if len(nulls) and not _mask_nulls(made, nulls):
        return None
    commas = np.flatnonzero(made == COMMA)
    return Mask(distinct[0], np.searchsorted(commas, starts), distinct[1], np.searchsorted(commas, nulls))


def _mask_texts(made: Array, starts: Array, sizes: Array) -> bool:
    """Masks texts with their quotes. Returns False if one is empty."""
    if not len(starts):
        return True
    if sizes.min() < len('"a"'):
        return False
    made[np.repeat(starts + sizes - np.cumsum(sizes), sizes) + np.arange(sizes.sum())] = SPACE
    made[starts + 1] = ZERO
    return True


def _mask_nulls(made: Array, starts: Array) -> bool:
    """Masks nulls. Returns False if one of them is something else."""
    if starts[-1] + len(NULL) > len(made) or any((made[starts + at] != byte).any() for at, byte in enumerate(NULL)):
        return False
    for at, byte in enumerate(b" 0  "):
        made[starts + at] = byte
    return True


def _distinct_texts(given: Array, starts: Array, ends: Array) -> tuple[list[str], Array] | None:
    """The distinct texts between these positions, and the code of each text (int32 [n]). None if one is not UTF-8, or has a
    control character, which JSON does not allow."""
    sizes = ends - starts
    longest = int(sizes.max(initial=0))
    found = _codes_of_short_texts(given, starts, sizes, -(-longest // 8) * 8) if 0 < longest <= SHORT else None
    if found is not None:
        codes, firsts = found
        distinct = [given[starts[at] : ends[at]].tobytes() for at in firsts]
    else:
        whole = given.tobytes() if len(starts) else b""
        texts = [whole[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        known = {text: code for code, text in enumerate(dict.fromkeys(texts))}
        distinct, codes = list(known), np.array([*map(known.__getitem__, texts)], np.int32)
    try:
        return orjson.loads(b'["' + b'","'.join(distinct) + b'"]') if distinct else [], codes
    except orjson.JSONDecodeError:
        return None


def _codes_of_short_texts(given: Array, starts: Array, sizes: Array, width: int) -> tuple[Array, list[int]] | None:
    """The code of each text, and the position of the first text with each code; None if more than `FEW` are distinct. The last
    word of a text is padded with the byte 0, which no text has."""
    if starts[-1] + width > len(given):
        given = np.concatenate((given, np.zeros(width, np.uint8)))
    # A word of 8 bytes from each byte on, without a copy.
    from_each = np.ndarray(len(given) - 7, np.dtype("<u8"), given.data, strides=(1,))
    words = [from_each[starts + at] & _WORD_MASKS[np.clip(sizes - at, 0, 8)] for at in range(0, width, 8)]
    codes, firsts = np.full(len(starts), A_NUMBER, np.int32), list[int]()
    first = 0
    while len(firsts) < FEW:
        same = words[0] == words[0][first]
        for each in words[1:]:
            same &= each == each[first]
        codes[same] = len(firsts)
        firsts.append(first)
        left = codes == A_NUMBER
        first = int(left.argmax())
        if not left[first]:
            return codes, firsts
    return None


def columns(
    values: Array,
    cells: Array,
    texts: Sequence[Sequence[str]],
    inputs: Sequence[Input],
    missing_allowed: bool,
    most: float,
) -> dict[str, Numbers | Texts] | None:
    """Converts each column for its input: `values` float64 [n, inputs], `cells` int32 [n, inputs] as `Mask.cells`, and the
    distinct texts of each column. None if any value needs the general parser, which reports what is wrong with it."""
    if not (values.min() >= -most and values.max() <= most) or (not missing_allowed and (cells == A_NULL).any()):
        return None
    numbers = np.where(cells == A_NULL, np.nan, values)
    found: dict[str, Numbers | Texts] = {}
    elsewhere = np.count_nonzero(cells > A_NULL)  # texts; those in columns of texts are subtracted below
    for at, each in enumerate(inputs):
        codes, column = cells[:, at], numbers[:, at]
        if each.type in ("number", "boolean"):
            if each.type == "boolean" and not np.isin(values[:, at], (0, 1)).all():
                return None
            found[each.name] = column
            continue
        if codes.min() < A_NULL:
            return None
        elsewhere -= np.count_nonzero(codes > A_NULL)
        made, wrong = from_distinct(each, _drop_unused(codes, texts[at]), most)
        missing = made.codes < 0 if isinstance(made, Texts) else np.isnan(made)
        if wrong or (not missing_allowed and missing.any()):
            return None
        found[each.name] = made
    return None if elsewhere else found


def _drop_unused(codes: Array, texts: Sequence[str]) -> Texts:
    """The column with these codes, without the texts that do not occur in it."""
    counts = np.bincount(codes + 1, minlength=len(texts) + 1)[1:]
    if counts.all():
        return Texts(codes, texts)
    used = np.flatnonzero(counts)
    places = np.full(len(texts) + 1, A_NULL, np.int32)  # the last one is for the code -1
    places[used] = np.arange(len(used))
    return Texts(places[codes], [texts[at] for at in used.tolist()])
