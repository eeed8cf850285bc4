"""What a version is, where it comes from, and how it differs from another."""

from typing import Literal

import httpx

from modelwright.answers import Json
from modelwright.calls import Version, json_of, path, version_path
from modelwright.methods import operation
from modelwright.steps import Call, Steps

_CARD_SECONDS = 30  # that the service may take to draw the plots of a page
_COMPARE_SECONDS = 600  # that it may take to read two large models


class Cards:
    """Model cards, lineage and comparison, as steps."""

    @operation
    def card(self, name: str, version: Version, format: Literal["markdown", "html"] = "markdown") -> Steps[str]:  # noqa: A002
        """The model card of a version: Markdown, or a page that contains its plots."""
        call = Call(
            "GET", version_path(name, version, "card"), headers={"Accept": f"text/{format}"}, timeout=_CARD_SECONDS
        )
        response: httpx.Response = yield call
        return response.text

    @operation
    def lineage(self, name: str, version: Version) -> Steps[Json]:
        """What a version comes from: its data, job and initial versions; its exports; and the versions that come from it."""
        return (yield from json_of(Call("GET", version_path(name, version, "lineage"))))

    @operation
    def compare(self, name: str, a: Version, b: Version) -> Steps[Json]:
        """The differences of two versions of a model, their metrics side by side, and the distances of their tensors."""
        query = {"a": a, "b": b}
        return (yield from json_of(Call("GET", path("models", name, "compare"), query=query, timeout=_COMPARE_SECONDS)))
