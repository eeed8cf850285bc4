"""What a model learns, by the types of its targets."""

from enum import StrEnum


class Task(StrEnum):
    """The kinds of question a model answers. An answer that has a shape of its own – an image for an image (segmentation), the
    next token of a text (a language model) – would be two more, with an `Output` whose values have a shape."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"


CLASSIFICATION = frozenset({Task.BINARY, Task.MULTICLASS})  # one answer, out of two or more classes
MOST_CLASSES_OF_AN_INTEGER = 20
LABEL_THRESHOLD = 0.5  # the probability above which a label of a multilabel model is predicted
