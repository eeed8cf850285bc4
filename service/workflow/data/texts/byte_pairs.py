"""A byte-pair vocabulary, learned from texts: bytes, and pieces of words that are merged from them, the most frequent first.

After Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016), over bytes as in GPT-2, so that no
text has an unknown part. The merges alone say what the vocabulary is: id 0 fills up what is shorter, 1 to 256 are the bytes,
and each merge adds one.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from service.workflow.data.table import Numbers
from service.workflow.data.texts.normalize import normalized

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LONGEST_PIECE = 16  # bytes: longer ones are rare, and would be most of a model's signature
MOST_TRAINED = 50_000_000  # characters of the texts from which a vocabulary is learned
ENCODED_AT_ONCE = 1000  # texts


def train_merges(texts: Iterable[str], vocabulary: int) -> str:
    """The merges of a vocabulary of at most this size: a line for each, of two pieces with a space between them, in order. The
    same texts in the same order give the same merges."""
    tokenizers = _library()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary - 1,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=_alphabet(),
        max_token_length=LONGEST_PIECE,
    )
    tokenizer.train_from_iterator(_first(texts), trainer)
    return "\n".join(" ".join(pair) for pair in orjson.loads(tokenizer.to_str())["model"]["merges"])


def vocabulary_of(merges: str) -> dict[str, int]:
    """The id of each piece, from 1."""
    pieces = [*_alphabet(), *(line.replace(" ", "", 1) for line in merges.splitlines())]
    return {piece: at for at, piece in enumerate(dict.fromkeys(pieces), start=1)}


def byte_pair_ids(texts: Sequence[str], merges: str, length: int) -> Numbers:
    """The ids of the first `length` pieces of each text, int32 [n, length]; 0 fills up what is shorter."""
    ids = np.zeros((len(texts), length), np.int32)
    for row, found in enumerate(_encoded(texts, merges)):
        ids[row, : len(found)] = found[:length]
    return ids


def most_pieces(texts: Sequence[str], merges: str) -> int:
    """The number of pieces of the text that has most."""
    return max(map(len, _encoded(texts, merges)), default=0)


def _encoded(texts: Sequence[str], merges: str) -> Iterator[list[int]]:
    """The ids of the pieces of each text."""
    tokenizer = _tokenizer(merges)
    for start in range(0, len(texts), ENCODED_AT_ONCE):
        batch = [normalized(text) for text in texts[start : start + ENCODED_AT_ONCE]]
        for found in tokenizer.encode_batch_fast(batch):
            yield found.ids


@lru_cache(maxsize=32)
def _tokenizer(merges: str) -> "Tokenizer":
    """The tokenizer of a vocabulary."""
    tokenizers = _library()
    pairs = [(left, right) for left, _, right in (line.partition(" ") for line in merges.splitlines())]
    tokenizer: Tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary_of(merges), pairs))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


def _first(texts: Iterable[str]) -> Iterator[str]:
    """Normalized texts, until enough characters are read."""
    left = MOST_TRAINED
    for each in texts:
        text = normalized(each)
        left -= len(text)
        if left < 0:
            return
        yield text


def _alphabet() -> list[str]:
    """The characters that stand for the 256 bytes, in order."""
    alphabet: list[str] = _library().pre_tokenizers.ByteLevel.alphabet()
    return sorted(alphabet)


def _library() -> Any:
    """The library, imported when a text is first encoded; without threads of its own, which a fork would not survive."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    return tokenizers
