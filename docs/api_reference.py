"""Writes docs/api-reference.md from the OpenAPI document: each call with its scope, parameters, body and answers."""

import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from service.access.scopes import WORDS
from service.api.middleware.scopes import RequiredScopes
from service.app import ROUTERS, create_app
from service.settings import Settings
from service.startup import start_up

PAGE = Path(__file__).with_name("api-reference.md")
OPENING = """# Reference of the HTTP API

Made from `/openapi.json` by `scripts/api-reference`; a test compares the two. [The overview](http-api.md) explains
the calls, and how errors look. Every call may also be answered with a problem (`4XX`, `5XX`), which is not repeated
here. A running service has an example for every body at `/docs`.
"""
LONGEST = 60  # characters of a schema in words


def page() -> str:
    """The page as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        document = create_app(start_up(Settings(home=Path(folder) / "home"))).framework.openapi()
    scopes = RequiredScopes(each.router for each in ROUTERS)
    by_tag = defaultdict[str, list[str]](list)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scope, _ = scopes.needed(method.upper(), re.sub(r"\{(\w+)\}", "x", path))
            word = next((word for word, each in WORDS.items() if each == scope), None)
            by_tag[operation["tags"][0]] += _operation(f"{method.upper()} {path}", operation, word)
    parts = [OPENING] + [f"\n## {tag[0].upper()}{tag[1:]}\n" + "".join(lines) for tag, lines in by_tag.items()]
    parts += ["\n## Schemas\n", *_schemas(document["components"]["schemas"])]
    return "".join(parts)


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    for name, about in sorted(schemas.items()):
        if "properties" not in about or name.startswith("Page_"):
            continue
        yield f"\n### {name.removesuffix('_')}\n\n"
        if text := " ".join(about.get("description", "").split()):
            yield f"{text}\n\n"
        for field, schema in about["properties"].items():
            more = " ".join(schema.get("description", "").split())
            yield f"- `{field}` ({_words(schema)}){': ' if more else ''}{more}\n"


def _operation(call: str, about: dict[str, Any], scope: str | None) -> Iterator[str]:
    yield f"\n### `{call}`\n\n"
    key = f"scope `{scope}`" if scope else "no key"
    yield f"**{about['summary']}** ({key}). {' '.join(about.get('description', '').split())}\n\n"
    for each in about.get("parameters", ()):
        schema, text = each.get("schema", {}), each.get("description", "")
        required = " **required**" if each.get("required") and each["in"] != "path" else ""
        more = f": {' '.join(text.split())}" if text else ""
        yield f"- `{each['name']}` ({each['in']}, {_words(schema)}){required}{more}\n"
    if body := about.get("requestBody"):
        kinds = [f"`{kind}`{_named(each.get('schema', {}))}" for kind, each in body["content"].items()]
        yield f"- body{'' if body.get('required') else ' (optional)'}: {', '.join(kinds)}\n"
    for status, answer in sorted(about["responses"].items()):
        if status in ("4XX", "5XX"):
            continue
        kinds = [f"`{kind}`{_named(each.get('schema', {}))}" for kind, each in answer.get("content", {}).items()]
        text = "" if answer["description"] == "Successful Response" else answer["description"].rstrip(".")
        yield f"- **{status}**{': ' if kinds or text else ''}{'; '.join(filter(None, [text, ', '.join(kinds)]))}\n"


def _named(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref", "").rpartition("/")[2]
    return f" {reference.removesuffix('_').replace('Page_', 'Page of ')}" if reference else ""


def _words(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _named(schema).strip()
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(each) for each in schema["anyOf"]))[:LONGEST]
    words = f"list of {_words(schema.get('items', {}))}" if schema.get("type") == "array" else schema.get("type", "any")
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None or high is not None:
        words += f" {'' if low is None else low}…{'' if high is None else high}"
    return words + (f", default `{schema['default']}`" if schema.get("default") not in (None, "") else "")


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
