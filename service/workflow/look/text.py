"""Texts of clients without a special meaning in Vega, SVG or JavaScript, and short enough for a chart."""

import re

LONGEST = 60  # characters
# Attributes of every JavaScript object: Vega would find them when it looks up a value of that name.
OBJECT_ATTRIBUTES = {"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString"}
OBJECT_ATTRIBUTES |= {"toString", "valueOf", "__proto__", "__defineGetter__", "__defineSetter__"}
OBJECT_ATTRIBUTES |= {"__lookupGetter__", "__lookupSetter__"}
NO_XML = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u2028\u2029]")
NO_BREAK_SPACE = "\u00a0"


def text(given: str, most: int = LONGEST) -> str:
    """A client's text as a chart shows it, of at most `most` characters."""
    if len(given) > most:
        given = f"{given[: most - 1]}…"
    if given in OBJECT_ATTRIBUTES:
        return f"{given}{NO_BREAK_SPACE}"
    # Vega puts titles into expressions, where backslashes and line ends have a meaning.
    return NO_XML.sub(_picture, given.replace("\\", "\u2216"))


def distinct(given: list[str]) -> list[str]:
    """The texts as a chart shows them. Those that would look the same are numbered: Vega tells categories apart by their texts.
    `text` does not change what this function has made."""
    made: dict[str, None] = {}
    for each in map(text, given):
        shown, number = each, 1
        while shown in made:
            number += 1
            mark = f" ({number})"
            shown = each[: LONGEST - len(mark)] + mark
        made[shown] = None
    return list(made)


def _picture(found: re.Match[str]) -> str:
    """The visible symbol of a control character, which Unicode has for the first 32."""
    return chr(0x2400 + ord(found[0])) if found[0] < " " else "\ufffd"
