"""Hashed n-grams: the ids of a text's pieces of n characters and of its words, without a vocabulary.

After Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016), and the `char_wb` analyser of scikit-learn. The
hash is a polynomial of the characters' code points, so that numpy computes those of all pieces of many texts at once.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from service.workflow.data.table import Numbers
from service.workflow.data.texts.normalize import normalized

MULTIPLIER = 0x9E3779B97F4A7C15  # odd: modulo 2^64 no power of it loses a bit
MIXER = 0xD6E8FEB86659FD93
CHUNK_CHARACTERS = 2**18  # of texts that are hashed at once
SPACE, END, WORD = 32, 0, 1  # code points: none but SPACE is in a normalized text


def ngram_ids(texts: Sequence[str], sizes: tuple[int, int], buckets: int, length: int) -> Numbers:
    """The ids of texts, int32 [n, length], each at least 1 and less than `buckets`; 0 fills up what is shorter.

    A text is normalized and gets a space before and after it. Its pieces are those of each number of characters in `sizes`
    (the smallest and the largest) that have a space at their ends at most, and then its words with the spaces around them. Of a
    text with more than `length` pieces as many are taken, evenly spaced.

    The hash of a piece is the polynomial sum of `code point · MULTIPLIER^(characters after it)`, modulo 2^64; that of a word
    has one more term, the code point `WORD`. It is mixed (`h ^= h >> 32; h *= MIXER; h ^= h >> 32`), and the id is
    `1 + h % (buckets - 1)`.
    """
    ids = np.zeros((len(texts), length), np.int32)
    done = 0
    for chunk in _chunks(texts):
        hashes, rows = _hashes(chunk, *sizes)
        order = np.argsort(rows, kind="stable")
        made = (_mixed(hashes[order]) % np.uint64(buckets - 1)).astype(np.int32) + 1
        counts = np.bincount(rows, minlength=len(chunk))
        starts = np.cumsum(counts) - counts
        for row in np.flatnonzero(counts).tolist():
            start, count = int(starts[row]), int(counts[row])
            taken = made[start : start + count]
            if count > length:
                taken = taken[np.arange(length) * count // length]
            ids[done + row, : len(taken)] = taken
        done += len(chunk)
    return ids


def most_ngrams(characters: int, sizes: tuple[int, int]) -> int:
    """The most ids that a normalized text with this number of characters has."""
    smallest, largest = sizes
    pieces = sum(max(0, characters + 3 - size) for size in range(smallest, largest + 1))
    return pieces + (characters + 1) // 2


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts, normalized and with a space around them; as many at once as have few characters together."""
    chunk: list[str] = []
    left = CHUNK_CHARACTERS
    for each in texts:
        text = normalized(each)
        chunk.append(f" {text} " if text else "")
        left -= len(text)
        if left <= 0:
            yield chunk
            chunk, left = [], CHUNK_CHARACTERS
    if chunk:
        yield chunk


def _hashes(texts: Sequence[str], smallest: int, largest: int) -> tuple[Numbers, Numbers]:
    """The hash of every piece of the texts, uint64 [k], and its text's position, int64 [k]."""
    joined = "".join(f"{text}\0" for text in texts)
    points = np.frombuffer(joined.encode("utf-32-le"), np.uint32).astype(np.uint64)
    rows = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])
    end, space = points == END, points == SPACE
    hashes, of = [], []
    polynomial, inside = np.zeros(len(points), np.uint64), np.ones(len(points), bool)
    for size in range(1, largest + 1):
        count = len(points) - size + 1
        if count <= 0:
            break
        last = slice(size - 1, size - 1 + count)
        polynomial = polynomial[:count] * np.uint64(MULTIPLIER) + points[last]
        inside = inside[:count] & ~end[last]
        if size > 2:
            inside &= ~space[size - 2 : size - 2 + count]
        if size >= smallest:
            found = np.flatnonzero(inside & ~space[:count] if size == 1 else inside)
            hashes.append(polynomial[found])
            of.append(rows[found])
    words, firsts = _word_hashes(points, end, space)
    return np.concatenate([*hashes, words]), np.concatenate([*of, rows[firsts]])


def _word_hashes(points: Numbers, end: Numbers, space: Numbers) -> tuple[Numbers, Numbers]:
    """The hash of each word with the spaces around it, uint64 [k], and where it begins, int64 [k]."""
    letter = ~end & ~space
    before = np.flatnonzero(space[:-1] & letter[1:])
    after = np.flatnonzero(letter[:-1] & space[1:]) + 1
    if not len(before):
        return np.zeros(0, np.uint64), before
    sizes = after - before + 1
    starts = np.cumsum(sizes) - sizes
    at = np.arange(int(sizes.sum())) + np.repeat(before - starts, sizes)
    powers = np.full(int(sizes.max()), MULTIPLIER, np.uint64)
    powers[0] = 1
    powers = np.cumprod(powers)  # modulo 2^64
    terms = points[at] * powers[np.repeat(after, sizes) - at]
    return np.add.reduceat(terms, starts) * np.uint64(MULTIPLIER) + np.uint64(WORD), before


def _mixed(hashes: Numbers) -> Numbers:
    """Hashes whose low bits depend on all of theirs."""
    mixed = (hashes ^ (hashes >> np.uint64(32))) * np.uint64(MIXER)
    return np.asarray(mixed ^ (mixed >> np.uint64(32)))
