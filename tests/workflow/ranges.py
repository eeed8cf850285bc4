"""Ranges of bytes in memory, as a store reads them of a file."""


class Ranges:
    """Callable with two positions; `ranges` has those that were read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, start: int, stop: int) -> bytes:
        assert 0 <= start <= stop
        self.ranges.append((start, stop))
        return self._data[start:stop]
