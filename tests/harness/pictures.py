"""Small pictures, and zip archives of them."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, form: str = "PNG", size: tuple[int, int] = (6, 8), frames: int = 1) -> bytes:
    """A picture of random colours.

    Args:
        size: width and height.
        frames: of an animation, if more than 1.
    """
    random = np.random.default_rng(seed)
    made = [Image.fromarray(random.integers(0, 255, (size[1], size[0], 3), np.uint8)) for _ in range(frames)]
    file = io.BytesIO()
    more = {"save_all": True, "append_images": made[1:]} if frames > 1 else {}
    made[0].save(file, form, **more)
    return file.getvalue()


def zip_of(files: Mapping[str, bytes | str], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive with these files by name; a name that ends with a slash is a folder."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def written(folder: Path, content: bytes) -> Path:
    """The content as a file in a new folder, beside which a survey may write others."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "body"
    path.write_bytes(content)
    return path
