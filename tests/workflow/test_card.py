"""Model cards: what a version holds is shown, what it does not hold is called so, and no text of a client has a meaning in
Markdown, HTML or YAML."""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs would be needed for this file alone
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from service.workflow.card import POLICY, Subject, front_matter, markdown, page
from service.workflow.card.document import Block, Code, Document, Items, Notes, Paragraph, Section, Table, printable
from service.workflow.card.to_markdown import to_markdown
from service.workflow.card.to_page import to_page
from tests.examples import examples

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1))",
    "](javascript:alert(1))",
    "![x](https://example.com/x.png)",
    "<https://example.com>",
    "[x]: javascript:alert(1)",
    "`` ` ```",
    "a|b\\|c",
    "\n\n---\n\n# heading\n\n- item\n1. item\n> quote\n\n    code\n",
    "```\nfence",
    "~~~\nfence",
    "x\n===",
    "x\n---",
    "\u202egnp.exe\u2066\u200f",
    "&lt;b&gt; &amp; &#60;",
    "*a* _b_ **c** ~~d~~ $x$",
    "\0\x1b[31m\x85\u2028\ufeff",
    "\ud800",
    "-->]]></style><style>",
    "{{7*7}} {% x %} <?php ?>",
    "3. a",
    "+ a",
]
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=30) | st.text("`|*_[]()<>!#-+=~\\&:.1 \n\"'$", max_size=20)
PAGES = {
    "main",
    "section",
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "h1",
    "h2",
    "p",
    "br",
    "div",
    "table",
    "thead",
}
PAGES |= {"tbody", "tr", "th", "td", "ul", "li", "pre", "code", "figure", "img", "figcaption"}
MARKDOWN = {"h1", "h2", "p", "br", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "pre", "code"}
DIGEST = "0123456789abcdef" * 4


class Read(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: set[tuple[str, str | None]] = set()
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes.update(attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def words(self) -> str:
        """All texts, without spaces."""
        return re.sub(r"\s", "", "".join(self.texts))


def rendered(text: str) -> Read:
    """Markdown as GitHub renders it: with tables and HTML."""
    return Read(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


def everywhere(text: str) -> Document:
    """A document with a text at every place."""
    blocks: list[Block] = [
        Paragraph(text),
        Notes(text),
        Items([text]),
        Table([text], [[text], [Code(text)]]),
        Paragraph(["a", text]),
    ]
    return Document(text, blocks, [Section(text, blocks)])


@example("0 #")
@example("a ## ")
@given(TEXTS)
@settings(max_examples=examples(60))
def test_a_text_is_shown_as_it_is_at_every_place(text: str) -> None:
    shown = re.sub(r"\s", "", printable(text))
    for read, allowed in (
        (rendered(to_markdown(everywhere(text))), MARKDOWN),
        (Read(to_page(everywhere(text))), PAGES),
    ):
        assert read.elements.keys() <= allowed
        assert [read.elements[each] for each in ("h1", "h2", "table", "th", "td", "li")] == [1, 1, 2, 2, 4, 2]
        assert shown == "" or read.words.count(shown) >= 2 + 2 * 7


@given(st.lists(TEXTS, min_size=1, max_size=3), TEXTS)
@settings(max_examples=examples(60))
def test_front_matter_is_read_as_it_was_written(listed: list[str], text: str) -> None:
    _, metadata, after = (front_matter({"license": text, "tags": listed}) + "# card").split("---\n")
    held = yaml.safe_load(metadata)
    assert held == {
        "license": text.replace("\ud800", "\ufffd"),
        "tags": [each.replace("\ud800", "\ufffd") for each in listed],
    }
    assert after == "# card"


def hostile_manifest(text: str) -> dict[str, Any]:
    """A manifest with a text at every place where a client may choose one."""
    column = {"name": text, "type": "category", "categories": [text], "missing": [text], "date_format": text}
    chosen = {"kind": text, "name": text, text: text}
    return {
        "spec": {
            "notes": text,
            "license": text,
            "data": {"kind": "dataset", "dataset": text},
            "split": {"time": text},
            "initial": text,
            **dict.fromkeys(("model", "loss", "optimizer", "scheduler"), chosen),
        },
        "signature": {
            "task": text,
            "inputs": [column, {**column, "type": text}, {**column, "type": "number"}],
            "outputs": [{"name": text, "type": "class", "classes": [text]}],
        },
        "warnings": [text],
        "slices": {
            "part": text,
            "metric": text,
            "positive": text,
            "columns": [{"column": text, "groups": [{"value": text, "rows": 1}, {"low": text, "high": text}]}],
            "worst": {"column": text, "value": text},
        },
        "metrics": {"train": {text: 1.0}, "baseline": {text: None}},
        "environment": {text: text},
        "data": {"digest": text, "version": text},
        "importance": {"part": text, "measure": text, "rows": text, "inputs": [{"input": text, "mean": text}]},
        "job": text,
    }


@given(TEXTS)
@settings(max_examples=examples(40))
def test_no_text_of_a_manifest_has_a_meaning(text: str) -> None:
    state = {
        "name": text,
        "version": text,
        "digest": text,
        "state": text,
        "id": text,
        "kind": "dataset",
        "dataset": text,
    }
    lineage = {
        "data": state,
        "job": state,
        "initial": [{**state, "data": state}],
        "exports": [state],
        "derived": [state],
    }
    for found in (None, lineage):
        subject = Subject(hostile_manifest(text), DIGEST, "model", 1, lineage=found)
        assert rendered(markdown(subject)).elements.keys() <= MARKDOWN
        read = Read(page(subject))
        assert read.elements.keys() <= PAGES
        assert {name for name, _ in read.attributes} <= {
            "lang",
            "charset",
            "http-equiv",
            "content",
            "name",
            "dir",
            "class",
        }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "spec",
                    "signature",
                    "inputs",
                    "outputs",
                    "metrics",
                    "train",
                    "data",
                    "name",
                    "type",
                    "split",
                    "ranges",
                    "importance",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from([*hostile_manifest(""), "split", "ranges", "training", "importance"]), JSON))
@settings(max_examples=examples(60))
def test_any_manifest_has_a_card(manifest: dict[str, Any]) -> None:
    subject = Subject(manifest, DIGEST)
    assert markdown(subject).startswith("# Model card\n")
    assert "<h1" in page(subject)


def test_what_is_not_recorded_is_called_so() -> None:
    text = markdown(Subject({}, DIGEST, "houses", 3))
    for title in (
        "What it is for",
        "Inputs",
        "Outputs",
        "Metrics",
        "Importance of the inputs",
        "Environment",
        "Licence",
    ):
        assert re.search(rf"## {title}\n\nnot recorded", text, re.IGNORECASE), title
    assert "| Rows | not recorded |" in text
    assert "Parameters: not recorded" in text


def test_a_page_blocks_everything_but_its_own_style_and_pictures() -> None:
    made = page(Subject({}, DIGEST, "houses", 3, plots={"data": "data:image/png;base64,AAAA"}))
    assert '<img src="data:image/png;base64,AAAA"' in made
    directives = dict(each.strip().split(" ", 1) for each in POLICY.split(";"))
    assert directives.pop("style-src").startswith("'sha256-")
    assert directives == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert 'http-equiv="Content-Security-Policy"' in made


def test_inputs_with_a_shape_are_described_and_sent_as_files() -> None:
    photo = {"name": "photo", "type": "image", "shape": [3, 48, 64], "dtype": "uint8"}
    review = {"name": "re view", "type": "text", "shape": [512], "text": {"encoding": "ngrams"}}
    signal = {"name": "signal", "type": "tensor", "shape": [20, 4]}
    hostile = {"name": "$(x)=@/etc", "type": "category", "categories": ["`y`"]}

    def card(*inputs: dict[str, Any]) -> str:
        outputs = [{"name": "kind", "type": "class", "classes": ["cat", "dog"]}]
        signature = {"task": "multiclass", "inputs": list(inputs), "outputs": outputs}
        return markdown(Subject({"signature": signature}, DIGEST, "pets", 1))

    alone = card(photo)
    assert "colour images, resized to 48 × 64 pixels (height × width)" in alone
    assert "predictions -H 'Content-Type: image/jpeg' --data-binary @photo.jpg" in alone
    assert "rows = [{'photo': Path(\"photo.jpg\")}]" in alone
    form = card(photo, review)
    assert "texts, of each the first 512 n-grams or pieces" in form
    assert "-F photo=@photo.jpg \\\n  --form-string 're view=A text, such as a sentence.'" in form
    assert '{"instances": [{"re view": "A text, such as a sentence."}]}' in card(review)
    arrays = card(signal, photo)
    assert "arrays of 20 × 4 numbers" in arrays and "--data-binary @rows.json" in arrays and "-F" not in arrays
    assert "-F" not in card(photo, hostile)
