"""Reading JPEG files: the column type `image` beside a plain loop with Pillow on as many threads."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from service.workflow.data.table import Files
from service.workflow.data.tensor_cache import TensorCache
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.types.shaped_type import ShapedType
from service.workflow.signature import Input

SIZE = 64
ROUNDS = 3
PHOTOS = ((224, 600), (1024, 60))  # (pixels a side, files)


def photos(folder: Path, side: int, count: int) -> Files:
    """A column of JPEG files with a smooth picture and noise."""
    draw = np.random.default_rng(0)
    down, across = np.mgrid[0:side, 0:side] / side
    parts = []
    for _ in range(count):
        waves = np.stack([np.sin(6 * (down * a + across * b)) for a, b in draw.uniform(-2, 2, (3, 2))], axis=2)
        noise = draw.normal(0, 8, (side, side, 3))
        stream = BytesIO()
        Image.fromarray((128 + 100 * waves + noise).clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=85)
        parts.append(stream.getvalue())
    path = folder / f"{side}.zip"
    path.write_bytes(b"".join(parts))
    sizes = np.array([len(each) for each in parts])
    names = [f"{at}.jpg" for at in range(count)]
    return Files(path, np.cumsum(sizes) - sizes, sizes, sizes, np.zeros(count, bool), names)


def ours(files: Files, threads: int) -> None:
    """Reads them as a training does."""
    kind = COLUMN_TYPES["image"]
    assert isinstance(kind, ShapedType)  # noqa: S101
    torch.set_num_threads(threads)
    kind.to_tensor(Input(name="x", type="image", shape=[3, SIZE, SIZE], dtype="uint8"), files, TensorCache())


def plain_loop(files: Files, threads: int, draft: bool) -> None:
    """Reads them with Pillow alone."""

    def decode(row: int) -> np.ndarray:
        with files.path.open("rb") as file:
            file.seek(files.offsets[row])
            image = Image.open(BytesIO(file.read(files.sizes[row])))
        if draft:
            image.draft("RGB", (2 * SIZE, 2 * SIZE))
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR))

    with ThreadPoolExecutor(threads) as pool:
        np.stack(list(pool.map(decode, range(len(files))))).transpose(0, 3, 1, 2).copy()


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """The least wall-clock and processor seconds of some rounds."""
    found = []
    for _ in range(ROUNDS):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(each[0] for each in found), min(each[1] for each in found)


def table() -> None:
    """Prints the table."""
    named = "images a second: ours | loop | loop with draft"
    print(f"| files | threads | {named} | ours ÷ loop | ours ÷ loop, by processor time |\n|{'---|' * 7}")  # noqa: T201
    with TemporaryDirectory() as folder:
        for side, count in PHOTOS:
            files = photos(Path(folder), side, count)
            for threads in sorted({1, os.cpu_count() or 1}):
                mine = seconds(lambda: ours(files, threads))  # noqa: B023 - called at once
                loop = seconds(lambda: plain_loop(files, threads, draft=False))  # noqa: B023
                fast = seconds(lambda: plain_loop(files, threads, draft=True))  # noqa: B023
                rates = " | ".join(f"{count / each[0]:.0f}" for each in (mine, loop, fast))
                ratios = f"{loop[0] / mine[0]:.2f} | {loop[1] / mine[1]:.2f} ({fast[1] / mine[1]:.2f} with draft)"
                print(f"| {count} JPEG of {side} px | {threads} | {rates} | {ratios} |")  # noqa: T201


if __name__ == "__main__":
    table()
