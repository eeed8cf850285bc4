"""The scopes of API keys. Each includes those before it."""

from enum import IntEnum


class Scope(IntEnum):
    """`predict`: predictions, and reading what they need. `train`: also data sets, jobs, and reading all of a model. Its weights
    are included, so that `train` without `predict` would protect nothing. `admin`: everything."""

    PREDICT = 1
    TRAIN = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The name in requests and files, such as `predict`."""
        return self.name.lower()


WORDS = {scope.word: scope for scope in Scope}
