"""`python -m service.workflow.look.render`: one chart, from JSON on stdin to PNG, SVG or JSON on stdout.

A process of its own: Altair and vl-convert are large, start threads, and are never loaded into the server.
"""

import sys

import orjson

from service.workflow.errors import NotAvailable
from service.workflow.look.charts import CHARTS, Subject
from service.workflow.look.points import Points
from service.workflow.signature import Signature

NOT_AVAILABLE = 3


def main() -> int:
    """Draws what it is asked for; exits with `NOT_AVAILABLE` when the model has no such plot."""
    request = orjson.loads(sys.stdin.buffer.read())
    signature, points = Signature.model_validate(request["signature"]), Points.model_validate(request["points"])
    try:
        if request["plot"] not in CHARTS:
            raise NotAvailable(f"there is no such plot; known: {', '.join(CHARTS)}")
        description = CHARTS[request["plot"]](
            Subject(signature, points, request["history"], request["confusion"])
        ).to_dict()
    except NotAvailable as error:
        sys.stderr.write(str(error))
        return NOT_AVAILABLE
    sys.stdout.buffer.write(_render(description, request["form"]))
    return 0


def _render(description: dict[str, object], form: str) -> bytes:
    import vl_convert

    if form == "json":
        return orjson.dumps(description)
    if form == "svg":
        return vl_convert.vegalite_to_svg(description).encode()
    drawn: bytes = vl_convert.vegalite_to_png(description, scale=2)
    return drawn


if __name__ == "__main__":
    sys.exit(main())
