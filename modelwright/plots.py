"""A plot that a notebook shows."""

from pathlib import Path

from modelwright.downloads import FilePath

FORMATS = ("png", "svg", "json")


class Plot(bytes):
    """A plot of a version: the bytes of the picture, which a notebook shows by itself.

    Args:
        content: the picture.
        format: png, svg or json (Vega-Lite).
    """

    format: str

    def __new__(cls, content: bytes, format: str) -> "Plot":  # noqa: A002 - the API's word
        plot = super().__new__(cls, content)
        plot.format = format
        return plot

    def save(self, path: FilePath) -> Path:
        """Writes the picture to a file."""
        file = Path(path)
        file.write_bytes(self)
        return file

    def __repr__(self) -> str:
        return f"Plot({len(self)} bytes, {self.format})"

    __str__ = __repr__

    def _repr_png_(self) -> bytes | None:
        return bytes(self) if self.format == "png" else None

    def _repr_svg_(self) -> str | None:
        return self.decode("utf-8", "replace") if self.format == "svg" else None
