"""The form of a text from which its ids are made: equal for texts that readers take for the same."""

import unicodedata

MOST_CHARACTERS = 100_000  # of a text; what follows is not read
# CPython sorts a run of combining marks in quadratic time: 100,000 of them take half a minute at once, and nothing in pieces.
PIECE = 1000  # characters
_INVISIBLE = (0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_SURROGATES = range(0xD800, 0xE000)
_CHANGED = {
    **dict.fromkeys(_INVISIBLE, None),
    **dict.fromkeys(_CONTROLS, " "),
    **dict.fromkeys(_SURROGATES, "\ufffd"),
}


def normalized(text: str) -> str:
    """A text in Unicode's form NFKC and without differences of case, with one space between its words and none around them.

    Control characters, NUL too, count as spaces; characters without a width or of a change of direction are left out; a lone
    surrogate becomes U+FFFD. Of a longer text the first `MOST_CHARACTERS` are read, in pieces of `PIECE` characters.
    """
    text = text[:MOST_CHARACTERS]
    if text.isascii():  # NFKC changes nothing
        folded = text.lower()
    else:
        pieces = (text[at : at + PIECE] for at in range(0, len(text), PIECE))
        folded = "".join(unicodedata.normalize("NFKC", each).casefold() for each in pieces)
    return " ".join(folded.translate(_CHANGED).split())[:MOST_CHARACTERS]
