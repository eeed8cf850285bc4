"""From texts to the ids int64 [length] that a network looks up, where `length` is the shape of an input in `config.json`.

What is done with a text before an export without texts, such as ONNX, gets its ids:

    from modeling_texts import read_text

    ids = torch.stack([read_text(text, of) for text in texts])  # `of` is the input in `config.json`, or in the signature

"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

from modeling_values import as_text

Config = Mapping[str, Any]  # a part of config.json
MOST_CHARACTERS = 100_000  # of a text; what follows is not read
PIECE = 1000  # characters that are normalized at once: a run of combining marks takes quadratic time
INVISIBLE = (0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)
CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
CHANGED = {
    **dict.fromkeys(INVISIBLE, None),
    **dict.fromkeys(CONTROLS, " "),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),  # lone surrogates
}
MULTIPLIER, MIXER, WORD = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 1
BITS = 2**64 - 1


def read_text(value: Any, of: Config) -> Tensor:
    """The ids of a text; 0 fills up what is shorter, and a missing text is all zeros. Raises ValueError if it is no text."""
    (length,) = of["shape"]
    if isinstance(value, (dict, list, tuple)):
        raise ValueError("it is no text")
    how, text = of["text"], "" if value is None else normalized(as_text(value))
    found = byte_pairs(text, how["merges"]) if how["encoding"] == "bpe" else ngrams(text, how, length)
    ids = torch.zeros(length, dtype=torch.int64)
    ids[: len(found)] = torch.tensor(found[:length], dtype=torch.int64)
    return ids


def normalized(text: str) -> str:
    """A text in Unicode's form NFKC and without differences of case, with one space between its words and none around them."""
    text = text[:MOST_CHARACTERS]
    if text.isascii():
        folded = text.lower()
    else:
        pieces = (text[at : at + PIECE] for at in range(0, len(text), PIECE))
        folded = "".join(unicodedata.normalize("NFKC", each).casefold() for each in pieces)
    return " ".join(folded.translate(CHANGED).split())[:MOST_CHARACTERS]


def ngrams(text: str, how: Config, length: int) -> list[int]:
    """The ids of a text's pieces of n characters, and of its words, by a hash of each: its mixed sum of code point ·
    MULTIPLIER^(characters after it), modulo 2^64. Of more than `length` pieces as many are taken, evenly spaced."""
    smallest, largest = how["ngrams"]
    hashes = [mixed(each) for each in pieces(f" {text} ", smallest, largest)] if text else []
    if len(hashes) > length:
        hashes = [hashes[at * len(hashes) // length] for at in range(length)]
    return [1 + each % (how["buckets"] - 1) for each in hashes]


def pieces(text: str, smallest: int, largest: int) -> Iterator[int]:
    """The hashes of pieces of each number of characters, which have a space at their ends at most, and of words with the spaces
    around them."""
    hashes: list[int] = [0] * len(text)  # of the piece that begins at each character, -1 for one with a space within
    for size in range(1, largest + 1):
        for at in range(len(text) - size + 1):
            within = size > 2 and text[at + size - 2] == " "
            if hashes[at] >= 0:
                hashes[at] = -1 if within else (hashes[at] * MULTIPLIER + ord(text[at + size - 1])) & BITS
            if size >= smallest and hashes[at] >= 0 and not (size == 1 and text[at] == " "):
                yield hashes[at]
    for word in text.split():
        found = 0
        for character in f" {word} ":
            found = (found * MULTIPLIER + ord(character)) & BITS
        yield (found * MULTIPLIER + WORD) & BITS


def mixed(found: int) -> int:
    """A hash whose low bits depend on all of its bits."""
    found = ((found ^ (found >> 32)) * MIXER) & BITS
    return found ^ (found >> 32)


def byte_pairs(text: str, merges: str) -> list[int]:
    """The ids of a text's pieces in a byte-pair vocabulary, by the package tokenizers."""
    ids: list[int] = tokenizer(merges).encode(text).ids
    return ids


@cache
def tokenizer(merges: str) -> Any:
    """The tokenizer of a vocabulary: the 256 bytes, and a piece for each line of `merges`, which has its two parts."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer, models, pre_tokenizers

    pairs = [(left, right) for left, _, right in (line.partition(" ") for line in merges.splitlines())]
    listed = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(left + right for left, right in pairs)]
    ids = {piece: at for at, piece in enumerate(dict.fromkeys(listed), start=1)}
    made = Tokenizer(models.BPE(ids, pairs))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return made
