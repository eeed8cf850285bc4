"""Jobs and models as HTML, for notebooks. Every text is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from modelwright.json_types import is_list, is_object

_LONGEST = 300  # characters of a value
_MOST_ROWS = 50  # of a table
_PARTS = ("train", "validation", "test")


def job(fields: Mapping[str, Any]) -> str:
    """A training job: how it is, its metrics so far, and what it has ended with."""
    about = {name: fields.get(name) for name in ("status", "created_at", "started_at", "finished_at")}
    error, result = _object(fields.get("error")), _object(fields.get("result"))
    if error:
        about["error"] = f"{error.get('detail')} ({error.get('code')})"
    if result:
        version = result.get("version")
        about["model"] = (
            result.get("model_name") if version is None else f"{result.get('model_name')}, version {version}"
        )
    title = f"Training job {fields.get('id')}: {fields.get('model_name')}"
    return _framed(
        title, [_pairs(about), _pairs(_object(fields.get("progress"))), _pairs(_object(fields.get("metrics")))]
    )


def model(fields: Mapping[str, Any]) -> str:
    """A model: its versions, aliases and metrics."""
    about = {"latest version": fields.get("latest"), "versions": fields.get("versions")}
    about |= {f"alias {name}": f"version {number}" for name, number in _object(fields.get("aliases")).items()}
    return _framed(f"Model {fields.get('name')}", [_pairs(about), _problem(fields), _metrics(fields.get("metrics"))])


def version(fields: Mapping[str, Any]) -> str:
    """A version: its inputs and outputs, if they are known, and its metrics."""
    signature, aliases = _object(fields.get("signature")), fields.get("aliases")
    about = {"created": fields.get("created_at")}
    about |= {way: _columns(signature.get(way)) for way in ("inputs", "outputs")}
    about |= {"aliases": ", ".join(map(str, aliases if is_list(aliases) else ())), "digest": fields.get("digest")}
    title = f"Model {fields.get('name')}, version {fields.get('version')}"
    return _framed(title, [_pairs(about), _problem(fields), _metrics(fields.get("metrics"))])


def _columns(columns: Any) -> str:
    """The names and types of inputs or outputs."""
    each = columns if is_list(columns) else []
    return ", ".join(f"{_object(one).get('name')} ({_object(one).get('type')})" for one in each)


def _framed(title: str, parts: Iterable[str]) -> str:
    return f"<div><strong>{escape(_text(title))}</strong>{''.join(parts)}</div>"


def _problem(fields: Mapping[str, Any]) -> str:
    error = _object(fields.get("error"))
    return _pairs({"error": f"{error.get('detail')} ({error.get('code')})"}) if error else ""


def _metrics(metrics: Any) -> str:
    """Metrics by part as one table with a column for each part, others as they are."""
    by_part = {name: _object(each) for name, each in _object(metrics).items() if isinstance(each, dict)}
    parts = [name for name in _PARTS if name in by_part] + [name for name in by_part if name not in _PARTS]
    names = list(dict.fromkeys(name for part in parts for name in by_part[part]))
    single = {name: each for name, each in _object(metrics).items() if name not in by_part}
    rows = [[name, *(_text(by_part[part].get(name)) for part in parts)] for name in names]
    return _pairs(single) + (_table(["", *parts], rows) if rows else "")


def _pairs(values: Mapping[str, Any]) -> str:
    rows = [[name, _text(value)] for name, value in values.items() if value not in (None, "", [], {})]
    return _table([], rows) if rows else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    shown = [f"<tr>{''.join(f'<th>{escape(_text(each))}</th>' for each in head)}</tr>"] if head else []
    for first, *others in rows[:_MOST_ROWS]:
        cells = "".join(f'<td style="text-align: left">{escape(each)}</td>' for each in others)
        shown.append(f'<tr><th style="text-align: left">{escape(_text(first))}</th>{cells}</tr>')
    left = len(rows) - _MOST_ROWS
    more = f"<div>and {left} more</div>" if left > 0 else ""
    return f"<table>{''.join(shown)}</table>{more}"


def _object(value: Any) -> Mapping[str, Any]:
    return value if is_object(value) else {}


def _text(value: Any) -> str:
    if value is None:
        return "–"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
