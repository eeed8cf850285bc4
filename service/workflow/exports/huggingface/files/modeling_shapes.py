"""From pictures, clips, texts and arrays to tensors [n, *shape], where `shape` is that of an input in `config.json`.

    image   a path, the bytes of a file (PNG, JPEG, WebP, GIF), a `data:` URL, or an image of Pillow; it is turned as EXIF says,
            laid on white where it is transparent, and resized. Or an array of uint8 that has the shape [channels, height, width].
    video   a list of images, of which frames are sampled evenly; the path or the bytes of an animated GIF, WebP or PNG file; or
            an array of uint8 that has the shape [frames, channels, height, width].
    tensor  an array of numbers, or lists in lists, that has the shape; NaN for a missing number;
    text    a text: see `modeling_texts.py`.

A missing value is all zeros. Arrays are those of torch or NumPy.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modeling_texts import read_text

if TYPE_CHECKING:
    from PIL.Image import Image

Config = Mapping[str, Any]  # a part of config.json
Row = Mapping[str, Any]
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
DRAFT = 2  # a JPEG file is decoded to at least this many times the size that is wanted
EXIF_ORIENTATION = 0x0112


def read_image(value: Any, of: Config) -> Tensor:
    """An image as uint8 [channels, height, width]. Raises ValueError, or what Pillow raises for a file that it cannot read."""
    shape = tuple(of["shape"])
    if value is None:
        return torch.zeros(shape, dtype=torch.uint8)
    if is_array(value):
        return bytes_of(value, shape)
    image, orientation = opened(value)
    return pixels(image, orientation, shape, draft=image is not value)


def read_video(value: Any, of: Config) -> Tensor:
    """A video as uint8 [frames, channels, height, width]. Raises as `read_image`."""
    count, *shape = of["shape"]
    if value is None:
        return torch.zeros((count, *shape), dtype=torch.uint8)
    if is_array(value):
        return bytes_of(value, (count, *shape))
    if isinstance(value, (list, tuple)):
        return torch.stack([read_image(value[at], {"shape": shape}) for at in sampled(len(value), count)])
    image, orientation = opened(value)
    first = int(getattr(image, "default_image", False))  # what is shown where animations are not known is no frame
    wanted = sampled(getattr(image, "n_frames", 1) - first, count)
    found = {}
    for at in range(wanted[-1] + 1):  # each is drawn on the one before
        image.seek(first + at)
        if at in wanted:
            found[at] = pixels(image, orientation, shape)
    return torch.stack([found[at] for at in wanted])


def read_tensor(value: Any, of: Config) -> Tensor:
    """Numbers as float32 of the shape, or as uint8 if the input is of bytes. Raises ValueError for others."""
    shape, dtype = tuple(of["shape"]), torch.uint8 if of.get("dtype") == "uint8" else torch.float32
    if value is None:
        return torch.zeros(shape, dtype=dtype)
    found = array(value, shape)
    if dtype == torch.uint8 and not torch.equal(found, found.clamp(0, 255).floor()):
        raise ValueError("it has others than whole numbers from 0 to 255")
    found = found.to(dtype)
    if found.isinf().any():
        raise ValueError("a number is beyond what a float32 can hold")
    return found


def sampled(count: int, wanted: int) -> list[int]:
    """The positions of the frames that are wanted among all: the middle of each of as many equal parts."""
    if not count:
        raise ValueError("there are no frames")
    return [(2 * part + 1) * count // (2 * wanted) for part in range(wanted)]


def is_array(value: Any) -> bool:
    """Whether it is an array of torch or NumPy."""
    return isinstance(value, Tensor) or (hasattr(value, "__array__") and hasattr(value, "dtype"))


def array(value: Any, shape: Sequence[int]) -> Tensor:
    """An array as a tensor of this shape. Raises ValueError if it has another one."""
    found = value if isinstance(value, Tensor) else torch.as_tensor(value)
    if tuple(found.shape) != tuple(shape):
        raise ValueError(f"the shape of the array is {list(found.shape)}, and {list(shape)} is expected")
    return found


def bytes_of(value: Any, shape: Sequence[int]) -> Tensor:
    """An array of uint8 as a tensor of this shape. Raises ValueError if it is another one."""
    found = array(value, shape)
    if found.dtype != torch.uint8:
        raise ValueError(f"the array is of {found.dtype}, and uint8 is expected")
    return found


def opened(value: Any) -> tuple[Image, int]:
    """An image of Pillow, and its orientation in EXIF."""
    from PIL import Image

    if isinstance(value, str) and value.startswith("data:"):
        value = base64.b64decode(value.partition(",")[2])
    if isinstance(value, (str, Path)):
        value = Path(value).read_bytes()
    if isinstance(value, (bytes, bytearray)):
        value = Image.open(io.BytesIO(value), formats=FORMATS)
    if not isinstance(value, Image.Image):
        raise ValueError("it is no image")
    exif = Image.Exif()
    if data := value.info.get("exif"):
        exif.load(data)
    found = exif.get(EXIF_ORIENTATION, 1)
    return value, found if found in range(1, 9) else 1


def pixels(image: Image, orientation: int, shape: Sequence[int], *, draft: bool = False) -> Tensor:
    """A picture as uint8 [channels, height, width]. `draft` lets Pillow decode a JPEG file to a smaller size."""
    from PIL import Image

    channels, height, width = shape
    mode, size = "L" if channels == 1 else "RGB", (height, width) if orientation > 4 else (width, height)
    if draft:
        image.draft(mode, (DRAFT * size[0], DRAFT * size[1]))
    image = opaque(image, mode)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    found = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(size[1], size[0], channels)
    return turned(found.permute(2, 0, 1), orientation)


def opaque(image: Image, mode: str) -> Image:
    """The picture in the mode L or RGB, on white; of 16 bits the higher 8."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        high = image.tobytes()[0 if image.mode == "I;16B" else 1 :: 2]
        return Image.frombytes("L", image.size, high).convert(mode)
    if not image.has_transparency_data:
        return image.convert(mode)
    transparent = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(transparent, mask=transparent.getchannel("A"))
    return white.convert(mode)


def turned(found: Tensor, orientation: int) -> Tensor:
    """A picture [c, h, w] turned as EXIF says: first across the diagonal, then left to right, then top to bottom."""
    if orientation in (5, 6, 7, 8):
        found = found.transpose(1, 2)
    if orientation in (2, 3, 6, 7):
        found = found.flip(2)
    return found.flip(1) if orientation in (3, 4, 7, 8) else found


READERS: dict[str, tuple[Callable[[Any, Config], Tensor], str]] = {
    "image": (read_image, "an image"),
    "video": (read_video, "a video"),
    "tensor": (read_tensor, "an array of numbers"),
    "text": (read_text, "a text"),
}
SHAPED = frozenset(READERS)  # types whose values have a shape


def read_shaped(of: Config, rows: Sequence[Row], first: int = 1) -> Tensor:
    """The raw tensor [n, *shape] of an input. Raises ValueError; it names row and input, where `first` is the number of the first
    row."""
    read, expected = READERS[of["type"]]
    name, missing, values = of["name"], {"", *of.get("missing", ())}, []
    for number, row in enumerate(rows, start=first):
        if name not in row:
            raise ValueError(f"row {number} has no value for the input {name!r}; None stands for a missing one")
        value = row[name]
        absent = isinstance(value, str) and value.strip() in missing
        try:
            values.append(read(None if absent else value, of))
        except (TypeError, ValueError, OSError, EOFError, RuntimeError) as error:
            what = f"row {number}, the input {name!r}: expected {expected}, not {type(value).__name__}"
            raise ValueError(f"{what}: {error}") from error
    return torch.stack(values)
