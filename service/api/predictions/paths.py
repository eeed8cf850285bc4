"""The paths of predictions."""

from service.use_cases.current_versions import Key

START, END = "/v1/models/", "/predictions"


def meant(path: str) -> Key | None:
    """The model and the reference that a path asks for predictions of; None for every other path."""
    if not (path.endswith(END) and path.startswith(START)):
        return None
    name, *rest = path[len(START) : -len(END)].split("/")
    if not rest:
        return (name, None) if name else None
    if len(rest) == 2 and rest[0] == "versions" and name and rest[1]:
        return name, rest[1]
    return None
