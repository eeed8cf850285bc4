"""The section on lineage: what the version comes from, and what comes from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.workflow.card.document import Block, Code, Paragraph, Table, Text
from service.workflow.card.recorded import NOT_RECORDED, find, mapping, objects, text
from service.workflow.card.subject import Subject

MOST_LISTED = 50
STATES = {
    "kept": "kept by this service",
    "deleted": "deleted",
    "elsewhere": "of the service that trained the version; this one does not keep it",
    "damaged": "damaged",
    "unknown": "not known: the storage could not be read",
}


def blocks(subject: Subject) -> list[Block]:
    """The steps from the data to the version and its descendants."""
    found = subject.lineage
    if found is None:
        return [_recorded(subject.manifest)]
    rows: list[Sequence[Text]] = [*_sources(found)]
    for each in objects(found, "initial")[:MOST_LISTED]:
        rows += [(f"Started from {_version(each)}", _digest(each), _state(each))]
        rows += [
            (f"{_version(each)}: {what[0].lower()}{what[1:]}", digest, state) for what, digest, state in _sources(each)
        ]
    rows += [(f"Export {text(each, 'name')}", _digest(each), "made") for each in objects(found, "exports")]
    rows += [(f"Start of {_version(each)}", _digest(each), _state(each)) for each in objects(found, "derived")]
    blocks: list[Block] = [Table(["Step", "Digest or id", "State"], rows)]
    if find(found, "initial_complete") is False:
        blocks.append(Paragraph("The versions before these were not followed."))
    if find(found, "derived_complete") is False:
        blocks.append(Paragraph("Not every version was searched for those that started from this one."))
    return blocks


def _recorded(manifest: Mapping[str, Any]) -> Block:
    data = mapping(manifest, "spec", "data")
    rows: list[tuple[Text, ...]] = [("Training job", Code(text(manifest, "job")))]
    if "dataset" in data:
        about = f"{text(data, 'dataset')}, version {text(manifest, 'data', 'version')}"
        rows.insert(0, ("Data set", f"{about}; SHA-256 {text(manifest, 'data', 'digest')}"))
    initial = find(manifest, "spec", "initial")
    if isinstance(initial, str):
        rows.append(
            ("Started from", f"{text(manifest, 'spec', 'initial')}; digest {text(manifest, 'initial', 'digest')}")
        )
    else:
        rows.append(("Started from", "random weights" if "spec" in manifest else NOT_RECORDED))
    return Table(["Step", "Names of the service that trained it"], rows)


def _sources(found: Mapping[str, Any]) -> list[tuple[str, Text, str]]:
    rows: list[tuple[str, Text, str]] = []
    data, job = mapping(found, "data"), mapping(found, "job")
    if data.get("dataset") is not None:
        rows.append((f"Data set {text(data, 'dataset')}, version {text(data, 'version')}", _digest(data), _state(data)))
    elif data:
        rows.append((f"Data of the spec ({text(data, 'kind')})", _digest(data), "in the manifest"))
    if job:
        rows.append(("Training job", Code(text(job, "id")), _state(job)))
    return rows


def _version(of: Mapping[str, Any]) -> str:
    return f"{text(of, 'name')}, version {text(of, 'version')}"


def _digest(of: Mapping[str, Any]) -> Text:
    return Code(text(of, "digest")) if of.get("digest") is not None else NOT_RECORDED


def _state(of: Mapping[str, Any]) -> str:
    state = of.get("state")
    return STATES.get(state, NOT_RECORDED) if isinstance(state, str) else NOT_RECORDED
