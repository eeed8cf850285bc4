"""`python -m service.workflow.look.render HEARTBEATS FOLDER`: renders charts, described by JSON on stdin, into the folder: the
chart `plot` as `artifact.json`, `artifact.svg` and `artifact.png`; without `plot` every chart as `artifact.<name>.png`, an empty
file for one that the model does not have. With `sweep` it is a chart of that sweep.

It is a process of its own because Altair and vl-convert are large and start threads.
"""

import os
import sys
from pathlib import Path
from typing import Any

import orjson

from service.liveness import beat, die_with
from service.workflow.errors import NotAvailable
from service.workflow.look.chart_data import ChartData
from service.workflow.look.importance import Importance
from service.workflow.look.points import Points
from service.workflow.signature import Signature

# jsonschema, which Altair imports, would compile the grammar of IRIs if this package is there (Jupyter installs it): that takes
# as long as all other imports together, and charts have no IRIs to check.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment] # the documented way to forbid an import

from service.workflow.look.charts import CHARTS, describe, describe_sweep  # noqa: E402
from service.workflow.look.sweep_charts import SweepData  # noqa: E402

NOT_AVAILABLE = 3


def main(heartbeats: int, folder: Path) -> int:
    """Renders the charts. Returns the exit status, `NOT_AVAILABLE` if there is no such chart."""
    die_with(os.getppid())
    beat(heartbeats)
    request = orjson.loads(sys.stdin.buffer.read())
    try:
        if "sweep" in request:
            _render(describe_sweep(request["plot"], SweepData(**request["sweep"])), folder)
        elif "plot" in request:
            _render(describe(request["plot"], _subject(request)), folder)
        else:
            _render_all(_subject(request), folder)
    except NotAvailable as error:
        sys.stderr.write(str(error))
        return NOT_AVAILABLE
    return 0


def _subject(request: dict[str, Any]) -> ChartData:
    """What the charts of a version are drawn from."""
    signature, points = Signature.model_validate(request["signature"]), Points.model_validate(request["points"])
    importance = request.get("importance")
    return ChartData(
        signature,
        points,
        request["history"],
        request["confusion"],
        request["rows"],
        None if importance is None else Importance.model_validate(importance),
        request.get("folds", ()),
    )


def _render_all(subject: ChartData, folder: Path) -> None:
    import vl_convert

    for name in CHARTS:
        try:
            image = vl_convert.vegalite_to_png(describe(name, subject), scale=2)
        except NotAvailable:
            image = b""
        (folder / f"artifact.{name}.png").write_bytes(image)


def _render(description: dict[str, object], folder: Path) -> None:
    import vl_convert

    svg = vl_convert.vegalite_to_svg(description)
    (folder / "artifact.json").write_bytes(orjson.dumps(description))
    (folder / "artifact.svg").write_text(svg, encoding="utf-8")
    (folder / "artifact.png").write_bytes(vl_convert.svg_to_png(svg, scale=2))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
