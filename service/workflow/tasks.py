"""What a model is asked to learn, told from its targets."""

from enum import StrEnum


class Task(StrEnum):
    """The kinds of question a model answers."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTICLASS = "multiclass"


CLASSIFICATION = frozenset({Task.BINARY, Task.MULTICLASS})
MOST_CLASSES_OF_AN_INTEGER = 20
