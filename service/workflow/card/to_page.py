"""A document as a page of HTML that needs nothing else: one style sheet, allowed by its digest, and no script."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

from service.workflow.card.document import (
    Block,
    Code,
    CodeBlock,
    Document,
    Items,
    Link,
    Notes,
    Paragraph,
    Picture,
    Table,
    Text,
    lines,
    printable,
    printable_lines,
    spans,
)

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; padding-bottom: .25rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; }
th, td { border: 1px solid #8886; padding: .3rem .6rem; text-align: start; vertical-align: top; max-width: 40rem;
  overflow-wrap: break-word; }
th { background: #8882; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
td code { word-break: break-all; }
pre { background: #8882; padding: .75rem 1rem; overflow-x: auto; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; height: auto; background: white; }
figcaption { color: #888; font-size: 14px; }
""".strip()
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_SAVED_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; img-src data:; base-uri 'none'; form-action 'none'"
)
# For the header of a response; a page that was saved to a file has its own copy, in which frame-ancestors has no meaning.
POLICY = f"{_SAVED_POLICY}; frame-ancestors 'none'"


def to_page(document: Document) -> str:
    """The whole page. The addresses of its pictures must be `data:` URLs: others are blocked by its policy."""
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_SAVED_POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_escaped(document.title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f'<h1 dir="auto">{_escaped(document.title)}</h1>',
        *map(_block, document.summary),
    ]
    for section in document.sections:
        parts += ["<section>", f"<h2>{_escaped(section.title)}</h2>", *map(_block, section.blocks), "</section>"]
    return "\n".join([*parts, "</main>", "</body>", "</html>", ""])


def _escaped(text: str) -> str:
    return escape(printable(text))


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p>{_text(block.text)}</p>"
        case Notes():
            return _notes(lines(block.text))
        case Table():
            return _table(block)
        case Items():
            return _all("li", block.items, "<ul>{}</ul>")
        case CodeBlock():
            return f"<pre><code>{escape(printable_lines(block.text))}</code></pre>"
        case Picture():
            title = _escaped(block.title)
            return f'<figure><img src="{escape(block.address)}" alt="{title}"><figcaption>{title}</figcaption></figure>'


def _notes(given: Sequence[str]) -> str:
    """A paragraph for each group of lines between empty ones."""
    paragraphs: list[list[str]] = [[]]
    for line in given:
        if line:
            paragraphs[-1].append(escape(line))
        elif paragraphs[-1]:
            paragraphs.append([])
    return "\n".join(f'<p dir="auto">{"<br>".join(each)}</p>' for each in paragraphs if each)


def _table(table: Table) -> str:
    head = _all("th", table.header, "<tr>{}</tr>")
    rows = "\n".join(_all("td", row, "<tr>{}</tr>") for row in table.rows)
    return f'<div class="wide"><table><thead>{head}</thead><tbody>\n{rows}\n</tbody></table></div>'


def _all(element: str, texts: Iterable[Text], around: str) -> str:
    # With dir="auto" a text that is written from right to left does not reorder what is around it.
    return around.replace("{}", "".join(f'<{element} dir="auto">{_text(each)}</{element}>' for each in texts))


def _text(text: Text) -> str:
    parts = []
    for span in spans(text):
        match span:
            case str():
                parts.append(_escaped(span))
            case Code():
                parts.append(f"<code>{_escaped(span.text)}</code>")
            case Link():
                parts.append(f'<a href="{escape(span.address)}">{_escaped(span.text)}</a>')
    return "".join(parts)
