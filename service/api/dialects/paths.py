"""The paths of inferences: a model's name, and perhaps what stands for a version of it."""


def parts(path: str, start: str, end: str) -> tuple[str, str, str] | None:
    """From `start`, `{name}` or `{name}/{place}/{reference}`, and `end`: the name, the place and the reference, the last
    two empty if they are not there; None for every other path."""
    if not (path.endswith(end) and path.startswith(start)):
        return None
    name, *rest = path[len(start) : -len(end)].split("/")
    if not rest:
        return (name, "", "") if name else None
    return (name, rest[0], rest[1]) if len(rest) == 2 and name and rest[1] else None
