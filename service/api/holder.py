"""Access to what exists only during the application's lifespan, for code that is constructed before it."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Holder(Generic[T]):
    """Holds a value from the start of the lifespan on; None before."""

    value: T | None = None

    def get(self) -> T:
        """The value. Raises RuntimeError before the lifespan has begun; until then no request is served."""
        if self.value is None:
            raise RuntimeError("the application's lifespan has not begun")
        return self.value
