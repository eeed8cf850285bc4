"""YAML metadata at the beginning of a Markdown file, as the Hugging Face Hub reads it."""

from collections.abc import Mapping, Sequence

# Also characters that some YAML readers take for line ends are escaped, as they are not printable.
ESCAPES = {"\\": "\\\\", '"': '\\"'}


def front_matter(fields: Mapping[str, str | Sequence[str]]) -> str:
    """The fields between two lines of `---`, each text as a double-quoted scalar (https://yaml.org/spec/1.2.2/#731-double-quoted-style).

    Args:
        fields: texts, or lists of texts, by name. Names are not escaped.
    """
    return "\n".join(["---", *(_field(name, value) for name, value in fields.items()), "---", ""])


def quoted(text: str) -> str:
    """A text as a double-quoted scalar."""
    return f'"{"".join(map(_character, text))}"'


def _field(name: str, value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return f"{name}: {quoted(value)}"
    return "\n".join([f"{name}:", *(f"- {quoted(each)}" for each in value)]) if value else f"{name}: []"


def _character(character: str) -> str:
    code = ord(character)
    if character in ESCAPES:
        return ESCAPES[character]
    if character.isprintable():
        return character
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"  # a lone surrogate is no character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
