"""Names and texts of a table are plotted as they are, whatever they mean to Vega, SVG or JavaScript."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from service.workflow.look.available import PLOTS, available
from service.workflow.look.points import Points
from service.workflow.signature import Signature

NAMES = [
    "constructor",
    "__proto__",
    "toString",
    "a.b[0]",
    "$x\\",
    '\\" + x + "',
    "\0\x1b[31m\x85",
    "a\nb\u2028",
    "<b>&😀\uffff",
    "long " * 40,
    "long " * 41,
]


def request(plot: str | None, task: str) -> dict[str, Any]:
    """The request of a plot, or of all, for a model with these names of inputs, and these texts among its values and classes."""
    classes = None if task == "regression" else NAMES
    truth: list[Any] = list(range(len(NAMES))) if classes is None else NAMES
    points: dict[str, Any] = {
        "features": dict.fromkeys(NAMES, NAMES),
        "part": ["train"] * len(NAMES),
        "truth": truth,
        "prediction": truth,
        "probability": None if classes is None else [0.5] * len(NAMES),
        "parameters": [{"name": name, "edges": [0.0, 1.0, 2.0], "counts": [1, 2]} for name in NAMES],
    }
    if classes is not None:
        points["curves"] = {"part": "train", "curves": [curve(position) for position in range(len(NAMES))]}
        bins = {"rows": [0] * 14 + [4], "confidence": [0.0] * 14 + [0.97], "right": [0] * 14 + [3]}
        points["reliability"] = {"part": "train", "bins": bins}
    lines = [[0.1 * place for place in range(len(NAMES))]] * (1 if classes is None else 2)
    depends = [{"input": name, "values": NAMES, "means": lines} for name in NAMES[:8]]
    about = {"part": "train", "rows": 4, "answers": list(range(len(lines)))}
    points["dependence"] = about | {"inputs": depends}
    inputs = [{"name": name, "type": "category", "categories": sorted(NAMES)} for name in NAMES]
    output = {"name": NAMES[6], "type": "number" if classes is None else "class", "classes": classes}
    confusion = {} if classes is None else {"test": [[1] * len(NAMES)] * len(NAMES)}
    signature = {"task": task, "inputs": inputs, "outputs": [output]}
    history = {"epoch": [1, 2], **{f"{name}_loss": [2.0, 1.0] for name in NAMES}}
    rows = {"train": len(NAMES)}
    named = {} if plot is None else {"plot": plot}
    return {
        **named,
        "signature": signature,
        "points": points,
        "history": history,
        "confusion": confusion,
        "rows": rows,
        "importance": importance(task),
    }


def importance(task: str) -> dict[str, Any]:
    """Importance of inputs with these names; some permutations help."""
    inputs = [{"input": name, "mean": 1 - 0.2 * place, "std": 0.1} for place, name in enumerate(NAMES)]
    measure = "relative_squared_error" if task == "regression" else "log_loss"
    about = {"part": "train", "rows": len(NAMES), "permutations": 5, "measure": measure, "loss": 0.5, "left_out": 2}
    return about | {"inputs": inputs}


def curve(position: int) -> dict[str, Any]:
    """The curve of one row of a class that is found first."""
    counts = {"true_positives": [0, 1, 1], "false_positives": [0, 0, len(NAMES) - 1]}
    return {"position": position, **counts, "roc_area": 1.0, "average_precision": 1.0}


def render(folder: Path, asked: dict[str, Any]) -> None:
    """Renders what is asked for into the folder."""
    seen, heartbeats = os.pipe()
    command = [sys.executable, "-m", "service.workflow.look.render", str(heartbeats), str(folder)]
    done = subprocess.run(  # noqa: S603
        command, input=orjson.dumps(asked), capture_output=True, pass_fds=[heartbeats], check=False
    )
    os.close(seen)
    os.close(heartbeats)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("task", "missing"),
    [
        ("regression", {"filters", "confusion", "roc", "precision_recall", "calibration"}),
        ("multiclass", {"filters", "residuals"}),
    ],
)
def test_every_chart_is_rendered_with_any_names(tmp_path: Path, task: str, missing: set[str]) -> None:
    asked = request(None, task)
    render(tmp_path, asked)
    sizes = {name: (tmp_path / f"artifact.{name}.png").stat().st_size for name in PLOTS}
    assert {name for name, size in sizes.items() if size == 0} == missing
    signature, points = Signature.model_validate(asked["signature"]), Points.model_validate(asked["points"])
    assert set(PLOTS) - set(available(signature, points, confused=bool(asked["confusion"]), important=True)) == missing
    assert all(size > 1000 for name, size in sizes.items() if name not in missing)


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    render(tmp_path, request("confusion", "multiclass"))
    assert (tmp_path / "artifact.png").stat().st_size > 1000
    drawn = (tmp_path / "artifact.svg").read_text(encoding="utf-8")
    assert "constructor" in drawn and "&lt;b&gt;" in drawn


def test_the_drawing_process_does_not_load_torch() -> None:
    code = "import sys, service.workflow.look.render; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
