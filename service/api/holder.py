"""Access to what exists only during the application's lifespan, for code that is constructed before it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Holder(Generic[T]):
    """Holds one value while the lifespan lasts."""

    def __init__(self) -> None:
        self.value: T | None = None  # None before and after the lifespan

    @contextmanager
    def holding(self, value: T) -> Iterator[None]:
        """Holds the value inside the `with` block."""
        self.value = value
        try:
            yield
        finally:
            self.value = None

    def get(self) -> T:
        """The value. Raises RuntimeError outside of the lifespan, when no request is served."""
        if self.value is None:
            raise RuntimeError("the application's lifespan has not begun, or has ended")
        return self.value
