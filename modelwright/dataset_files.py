"""A file of a data set, such as an image, that a notebook shows."""

from pathlib import Path

from modelwright.downloads import FilePath


class DatasetFile(bytes):
    """A file of a data set: its bytes, which a notebook shows by itself if they are an image.

    Args:
        content: the bytes.
        media_type: such as image/png or video/mp4.
    """

    media_type: str

    def __new__(cls, content: bytes, media_type: str) -> "DatasetFile":
        file = super().__new__(cls, content)
        file.media_type = media_type
        return file

    @property
    def suffix(self) -> str:
        """The usual suffix of such a file, with its dot."""
        return "." + self.media_type.rpartition("/")[2].removeprefix("x-")

    def save(self, path: FilePath) -> Path:
        """Writes the bytes to a file."""
        file = Path(path)
        file.write_bytes(self)
        return file

    def __repr__(self) -> str:
        return f"DatasetFile({len(self)} bytes, {self.media_type})"

    __str__ = __repr__

    def _repr_mimebundle_(self, **_: object) -> dict[str, bytes]:
        return {self.media_type: bytes(self)} if self.media_type.startswith("image/") else {}
