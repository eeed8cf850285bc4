"""`python -m service.workflow.look.render HEARTBEATS FOLDER`: renders one chart, described by JSON on stdin, to `artifact.json`,
`artifact.svg` and `artifact.png` in the folder.

It is a process of its own because Altair and vl-convert are large and start threads.
"""

import os
import sys
from pathlib import Path

import orjson

from service.liveness import beat, die_with
from service.workflow.errors import NotAvailable
from service.workflow.look.charts import CHARTS, ChartData
from service.workflow.look.points import Points
from service.workflow.signature import Signature

NOT_AVAILABLE = 3


def main(heartbeats: int, folder: Path) -> int:
    """Renders the chart. Returns the exit status, `NOT_AVAILABLE` if the model has no such chart."""
    die_with(os.getppid())
    beat(heartbeats)
    request = orjson.loads(sys.stdin.buffer.read())
    signature, points = Signature.model_validate(request["signature"]), Points.model_validate(request["points"])
    try:
        subject = ChartData(signature, points, request["history"], request["confusion"])
        description = CHARTS[request["plot"]](subject).to_dict()
    except NotAvailable as error:
        sys.stderr.write(str(error))
        return NOT_AVAILABLE
    _render(description, folder)
    return 0


def _render(description: dict[str, object], folder: Path) -> None:
    import vl_convert

    svg = vl_convert.vegalite_to_svg(description)
    (folder / "artifact.json").write_bytes(orjson.dumps(description))
    (folder / "artifact.svg").write_text(svg, encoding="utf-8")
    (folder / "artifact.png").write_bytes(vl_convert.svg_to_png(svg, scale=2))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
