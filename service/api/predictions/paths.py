"""Paths of predictions."""

from service.model_reference import ModelReference

START, END = "/v1/models/", "/predictions"


def parts(path: str, start: str, end: str) -> tuple[str, str, str] | None:
    """Splits a path of `start`, `{name}` or `{name}/{place}/{reference}`, and `end`.

    Returns:
        The name, the place and the reference, the last two empty if they are absent; None for every other path.
    """
    if not (path.endswith(end) and path.startswith(start)):
        return None
    name, *rest = path[len(start) : -len(end)].split("/")
    if not rest:
        return (name, "", "") if name else None
    return (name, rest[0], rest[1]) if len(rest) == 2 and name and rest[1] else None


def model_of(path: str, start: str = START, end: str = END) -> ModelReference | None:
    """The model of a path `{start}{name}{end}` or `{start}{name}/versions/{version}{end}`; None for every other path."""
    found = parts(path, start, end)
    return ModelReference(found[0], found[2] or None) if found is not None and found[1] in ("", "versions") else None
