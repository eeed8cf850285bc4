"""What a notebook shows of a job, a model and a plot; names and messages may be anyone's."""

from html.parser import HTMLParser
from typing import Any

import pytest

from modelwright import Client, Job, Model, ModelVersion, Plot

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\x00\u202e"
ALLOWED = {"div", "strong", "table", "tr", "th", "td"}


class Page(HTMLParser):
    """The tags, attributes and texts of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.texts = set[str](), set[tuple[str, str | None]](), list[str]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= set(attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(kind: Any, fields: dict[str, Any]) -> Page:
    """What a notebook shows, of which nothing but text may come from the service."""
    with Client() as client:
        page = Page(kind(client, fields)._repr_html_())
    assert page.tags <= ALLOWED
    assert page.attributes <= {("style", "text-align: left")}
    return page


@pytest.mark.parametrize("name", ["line", HOSTILE])
def test_a_job(name: str) -> None:
    page = shown(
        Job,
        {
            "id": name,
            "model_name": name,
            "status": name,
            "progress": {"epoch": 3, name: name},
            "metrics": {"train_loss": 0.123456789, name: None},
            "error": {"code": name, "detail": name},
            "result": {"model_name": name, "version": 7},
        },
    )
    text = " ".join(page.texts)
    assert "0.123457" in text and "version 7" in text
    assert name in text  # as it is, not as markup


@pytest.mark.parametrize("name", ["line", HOSTILE])
def test_models_and_versions(name: str) -> None:
    metrics = {"test": {"mae": 0.25, name: 1.0}, "train": {"mae": 0.125}, name: {"mae": None}, "single": 3}
    page = shown(
        Model, {"name": name, "latest": 2, "versions": 2, "aliases": {name: 1}, "metrics": metrics, "error": None}
    )
    assert page.texts[0] == f"Model {name}" and "0.125" in page.texts and "0.25" in page.texts
    signature = {"inputs": [{"name": name, "type": name}], "outputs": [{"name": "y", "type": "number"}]}
    page = shown(
        ModelVersion, {"name": name, "version": 2, "signature": signature, "metrics": metrics, "aliases": [name]}
    )
    assert f"{name} ({name})" in page.texts and "y (number)" in page.texts


@pytest.mark.parametrize("kind", [Job, Model, ModelVersion])
@pytest.mark.parametrize("value", [None, 7, "x" * 10_000, [HOSTILE], {HOSTILE: {HOSTILE: [HOSTILE]}}])
def test_answers_that_are_not_what_was_expected(kind: Any, value: Any) -> None:
    names = ("id", "name", "metrics", "progress", "error", "result", "aliases", "signature", "version")
    page = shown(kind, dict.fromkeys(names, value))
    assert len(" ".join(page.texts)) < 10_000


def test_a_long_list_is_cut_off() -> None:
    page = shown(Job, {"metrics": {f"metric_{number}": 1.0 for number in range(1000)}})
    assert "and 950 more" in page.texts


def test_a_plot_shows_itself_in_its_format() -> None:
    assert Plot(b"\x89PNG", "png")._repr_png_() == b"\x89PNG" and Plot(b"\x89PNG", "png")._repr_svg_() is None
    assert Plot("<svg>ü</svg>".encode(), "svg")._repr_svg_() == "<svg>ü</svg>"
    assert str(Plot(b"\x89PNG", "png")) == "Plot(4 bytes, png)"
