"""`benchmarks/run images`: specs that name only their data and a seed, on real images, over HTTP; and a training step of `cnn`
beside the bare forward and backward of the same layers on resident tensors."""

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

SEEDS = int(os.environ.get("SEEDS", "3"))
WORK = os.environ.get("WORK", "digits mnist emoji emoji-both step").split()
ROWS, BATCH = 1920, 64  # of the measured step


def figures(address: str, peers_python: str) -> None:
    """Prints a row for each work."""
    from benchmarks import shaped_data as of

    bodies = {"digits": lambda: of.digits(peers_python), "mnist": of.mnist, "emoji": of.emoji}
    for name, make in bodies.items():
        if any(each.startswith(name) for each in WORK):
            of.upload(address, name, make(), "application/zip")
    rows: list[tuple[str, dict[str, Any], str]] = [
        ("digits", {}, "≥ 98.5 % (mean of 5), ≤ 60 s"),
        ("mnist", {"split": {"train": 7000, "validation": 1000, "test": 2000}}, "≥ 98.3 %, ≤ 180 s"),
        ("emoji", {"features": ["image"]}, "≥ 60 %, ≤ 300 s"),
        ("emoji-both", {"features": ["name"]}, "names alone"),
        ("emoji-both", {"features": ["image", "name"]}, "without the sort order"),
        ("emoji-both", {"features": ["image", "name", "order"]}, "3 points more than the better of the two alone"),
    ]
    sys.stdout.write(
        "| data | features | accuracy of each seed | mean | median | seconds of each | must hold |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for name, parts, goal in rows:
        if name not in WORK:
            continue
        dataset = name.removesuffix("-both")
        count = max(SEEDS, 5) if name == "digits" and SEEDS > 1 else SEEDS
        found = [of.trained(address, spec(dataset, dict(parts), seed)) for seed in range(count)]
        scores, spent = zip(*found, strict=True)
        shown = ", ".join(parts.get("features", ["image"]))
        listed = " ".join(f"{100 * each:.1f}" for each in scores)
        took = " ".join(f"{each:.0f}" for each in spent)
        sys.stdout.write(
            f"| {dataset} | {shown} | {listed} | {100 * mean(scores):.2f} | {100 * median(scores):.2f} | {took} | {goal} |\n"
        )
        sys.stdout.flush()


def spec(dataset: str, parts: dict[str, Any], seed: int) -> dict[str, Any]:
    """A spec with only the data, and the seed."""
    data: dict[str, Any] = {"kind": "dataset", "dataset": dataset}
    if dataset == "emoji":
        data |= {"target": "group", "features": {each: {"type": TYPES[each]} for each in parts.pop("features")}}
    return {"model_name": dataset, "data": data, "training": {"seed": seed}, **parts}


TYPES = {"image": "image", "name": "text", "order": "number"}


def step() -> None:
    """Prints processor seconds of our loop on uint8 images with the default augmentation, validation left out, beside those of
    forward and backward of the same layers on resident float32 tensors; alternating, so that other load affects both."""
    ours, bare = zip(*((_ours(), _bare()) for _ in range(3)), strict=True)
    ratio = median(bare) / median(ours)
    sys.stdout.write(
        f"\n{ROWS} images of 32 × 32 in batches of {BATCH}, 1 thread, median of 3: our epoch {median(ours):.2f} s of processor "
        f"time, the bare layers {median(bare):.2f} s: {ratio:.2f} × their speed (must hold: ≥ 0.85).\n"
    )


def _network() -> Any:
    import torch

    from service.workflow.models import KINDS
    from service.workflow.models.input_shapes import InputShapes, InputTensor

    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs = InputShapes({"x": InputTensor((3, 32, 32), "image")})
    return KINDS["cnn"].model_validate({}).sized(ROWS, inputs).build(inputs, 10, None)


def _bare() -> float:
    import torch

    network, x, y = _network(), torch.randn(BATCH, 3, 32, 32), torch.randint(0, 10, (BATCH,))
    loss, began = torch.nn.CrossEntropyLoss(), time.process_time()
    for _ in range(ROWS // BATCH):
        network.zero_grad()
        loss(network(x), y).backward()
    return time.process_time() - began


def _ours() -> float:
    import torch

    from service.workflow import optimizers
    from service.workflow.data.types.registry import COLUMN_TYPES
    from service.workflow.data.types.shaped_type import ShapedType
    from service.workflow.examples import Examples
    from service.workflow.learner import Learner
    from service.workflow.scaling import fit_scaling
    from service.workflow.schedulers import LearningRateSchedule
    from service.workflow.training import ResolvedSettings
    from service.workflow.training_loop import train

    network, kind = _network(), COLUMN_TYPES["image"]
    assert isinstance(kind, ShapedType)  # noqa: S101 - as it is
    x = torch.randint(0, 256, (ROWS, 3, 32, 32), dtype=torch.uint8)
    feature = kind.feature.model_validate(
        {"type": "image", "augmentation": {"flip": False, "crop": 2, "rotate": 0.0, "color": 0.0}}
    )
    rows = torch.arange(ROWS)
    scaling = fit_scaling(x, rows, 0, normalize=True)
    examples = Examples(
        {"x": x},
        torch.randint(0, 10, (ROWS,)),
        rows=rows,
        finish=lambda found: scaling(found["x"]),  # type: ignore[index] # of a dict
        augment=lambda found, drawn: {"x": kind.augment(feature, found["x"], drawn)},  # type: ignore[index] # as above
    )
    chosen = optimizers.build(optimizers.REGISTRY.parse({"name": "AdamW", "lr": 0.01}), network)
    settings = ResolvedSettings(epochs=1, batch_size=BATCH)
    learner = Learner(network, torch.nn.CrossEntropyLoss(), False, chosen, LearningRateSchedule(None, chosen), settings)
    none = Examples({"x": x[:0]}, torch.zeros(0, dtype=torch.int64))
    began = time.process_time()
    train(learner, {"train": examples, "validation": none}, lambda *_: None)
    return time.process_time() - began


def main(ours_python: str, peers_python: str) -> None:
    """Prints the tables as Markdown."""
    from benchmarks.jobs import service

    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as home, service(Path(home) / "home", slots=1) as (_, address):
        figures(address, peers_python)
    if "step" in WORK:
        step()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(*sys.argv[1:3])
