"""Names and texts of a table are plotted as they are, whatever they mean to Vega, SVG or JavaScript."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

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
]


def request(plot: str, task: str) -> dict[str, Any]:
    """A plot's request for a model with these names of inputs, and these texts among its values and classes."""
    classes = None if task == "regression" else NAMES
    truth: list[Any] = list(range(len(NAMES))) if classes is None else NAMES
    points = {
        "features": dict.fromkeys(NAMES, NAMES),
        "part": ["train"] * len(NAMES),
        "truth": truth,
        "prediction": truth,
        "probability": None if classes is None else [0.5] * len(NAMES),
        "parameters": [{"name": name, "edges": [0.0, 1.0, 2.0], "counts": [1, 2]} for name in NAMES],
    }
    inputs = [{"name": name, "type": "category", "categories": sorted(NAMES)} for name in NAMES]
    output = {"name": NAMES[6], "type": "number" if classes is None else "class", "classes": classes}
    confusion = {} if classes is None else {"test": [[1] * len(NAMES)] * len(NAMES)}
    signature = {"task": task, "inputs": inputs, "outputs": [output]}
    history = {"epoch": [1, 2], **{f"{name}_loss": [2.0, 1.0] for name in NAMES}}
    return {"plot": plot, "signature": signature, "points": points, "history": history, "confusion": confusion}


@pytest.mark.parametrize(
    ("plot", "task"),
    [("data", "regression"), ("confusion", "multiclass")],
)
def test_any_name_can_be_plotted(tmp_path: Path, plot: str, task: str) -> None:
    seen, heartbeats = os.pipe()
    command = [sys.executable, "-m", "service.workflow.look.render", str(heartbeats), str(tmp_path)]
    stdin = orjson.dumps(request(plot, task))
    done = subprocess.run(command, input=stdin, capture_output=True, pass_fds=[heartbeats], check=False)  # noqa: S603
    os.close(seen)
    os.close(heartbeats)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "artifact.png").stat().st_size > 1000
    drawn = (tmp_path / "artifact.svg").read_text(encoding="utf-8")
    assert "constructor" in drawn
