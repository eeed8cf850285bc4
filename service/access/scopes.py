"""What a key is good for. Each scope includes those before it."""

from enum import IntEnum


class Scope(IntEnum):
    """`predict` asks models and reads what that needs; `train` also has data sets, jobs and all that can be read of a model,
    its weights included, so that keeping predictions from it would keep nothing; `admin` may do everything."""

    PREDICT = 1
    TRAIN = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """As it is written: `predict`."""
        return self.name.lower()


WORDS = {scope.word: scope for scope in Scope}
