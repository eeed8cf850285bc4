"""Tells sentences from names, codes, paths and other texts that only stand for something."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

FEWEST_ROWS = 20
FEWEST_CHARACTERS = 20  # of a text, on average
FEWEST_WORDS = 4  # of a text, on average
TRIED = 5000  # texts; the first ones
LONGEST_TRIED = 2000  # characters of a text
_PUNCTUATION = ".,;:!?\"'()[]{}«»“”‘’„…-–—/*\u060c\u061f\u3001\u3002\uff01\uff0c\uff1f"
_PLACE = re.compile(r"(?:\w+://|\w:\\|\\\\|(?:\.{1,2}|~)?/)")  # a path or an address, which may have spaces
_CODE = re.compile(r"[\d_=@#&|<>{}:/\\]")
# Of scripts that put no spaces between words: Thai to Lao, Burmese, Khmer, Japanese and Chinese. A word has about two of them.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class Wording:
    """The average number of characters and of words of texts, and the share of their words, after the first, that are of small
    letters, or of letters that know no capitals."""

    characters: float
    words: float
    small: float

    @property
    def is_sentences(self) -> bool:
        """Whether such texts are sentences. Names, titles and addresses are mostly of capitalised words and numbers; codes,
        paths, files and addresses in the web are of one word."""
        return self.characters >= FEWEST_CHARACTERS and self.words >= FEWEST_WORDS and self.small >= 0.5


def wording_of(texts: Iterable[str]) -> Wording:
    """The wording of the first texts."""
    count = characters = words = after_first = small = 0.0
    for text in texts:
        count += 1
        characters += len(text)
        for at, word in enumerate([text] if _PLACE.match(text) else text[:LONGEST_TRIED].split()):
            bare = word.strip(_PUNCTUATION)
            as_words = max(1.0, len(_UNSPACED.findall(bare)) / 2) if bare else 0.0
            words += as_words
            # The rest of a run without spaces comes after its first word.
            counted = as_words if at else max(0.0, as_words - 1)
            after_first += counted
            small += counted * (bare == bare.lower() and _is_a_word(bare))
        if count == TRIED:
            break
    most = max(count, 1)
    return Wording(characters / most, words / most, small / max(after_first, 1))


def _is_a_word(text: str) -> bool:
    """Whether it has letters, and nothing that codes, paths and numbers have; or is a run of words without spaces."""
    return _UNSPACED.search(text) is not None or (_CODE.search(text) is None and any(map(str.isalpha, text)))
