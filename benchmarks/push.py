"""`benchmarks/run push`: a version of 400 MB is pushed and pulled between two services, over connections that are cut five times.

A proxy cuts them, and counts what was sent. It, both services and the client share the cores. The bare copy is of the same
bundle, in one request each way, through the same proxy. `HIDDEN` are the units of the model's two layers.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from modelwright import Client
from tests.harness.cutting_proxy import CuttingProxy
from tests.harness.line import line
from tests.harness.server import Server, verify

CUTS = 5
MOST_SENT = 1.1  # times the size of the bundle
HIDDEN = [int(units) for units in os.environ.get("HIDDEN", "10000,9990").split(",")]  # 400 MB of float32
LIMITS: dict[str, Any] = {"max_model_bytes": 2**31, "max_parameters": 200_000_000, "slots": 1}


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        homes = Path(folder) / "here", Path(folder) / "there"
        with Server(homes[0], **LIMITS) as here, Server(homes[1], **LIMITS) as there:
            spec = line(0, name="wide") | {"model": {"kind": "mlp", "hidden": HIDDEN}}
            here.client.wait(here.client.train(spec)["id"])
            size = int(here.http.head("/v1/models/wide/versions/1/bundle").headers["Content-Length"])
            sys.stdout.write(f"A bundle of {size / 1e6:.1f} MB; a cut connection is cut after a sixth of it.\n\n")
            sys.stdout.write(
                "| what | seconds | sent, times its size | must hold | connections |\n|---|---|---|---|---|\n"
            )
            sys.stdout.write(bare_copy(here, there, Path(folder) / "bundle.zip", size))
            for verb, cuts in (("push", 0), ("push", CUTS), ("pull", 0), ("pull", CUTS)):
                sys.stdout.write(transfer(here, there, verb, cuts, size))
                sys.stdout.flush()
        for home in homes:
            verify(home)


def bare_copy(here: Server, there: Server, file: Path, size: int) -> str:
    """One download and one upload."""
    with CuttingProxy(there.url) as proxy, Client(proxy.url) as other:
        began = time.perf_counter()
        here.client.download_bundle("wide", 1, file)
        other.upload_bundle("copied", file)
        return row("`download_bundle`, then `upload_bundle`", time.perf_counter() - began, proxy, "up", size, "")


def transfer(here: Server, there: Server, verb: str, cuts: int, size: int) -> str:
    """A push or a pull, which must arrive whole."""
    direction, name = ("up" if verb == "push" else "down"), f"{verb}-{cuts}"
    with CuttingProxy(there.url, **{direction: [size // 6] * cuts}) as proxy:  # type: ignore[arg-type]
        with Client(here.url) as mine, Client(proxy.url) as other:
            began = time.perf_counter()
            if verb == "push":
                copied = mine.push(other, "wide", 1, as_name=name, alias="production")
            else:
                copied = mine.pull(other, "copied", 1, as_name=name, alias="production")
            seconds = time.perf_counter() - began
        if proxy.cuts_left or proxy.bytes[direction] > MOST_SENT * size:
            raise AssertionError(f"{proxy.cuts_left} cuts are left; {proxy.bytes} were sent")
    receiver = there if verb == "push" else here
    digests = {receiver.client.manifest(name, "production")["digest"], here.client.manifest("wide", 1)["digest"]}
    if not copied["new"] or digests != {copied["digest"]}:
        raise AssertionError(f"it has not arrived whole: {copied}, {digests}")
    what = f"`{verb}`, cut {cuts} times" if cuts else f"`{verb}`"
    return row(what, seconds, proxy, direction, size, f"≤ {MOST_SENT}")


def row(what: str, seconds: float, proxy: CuttingProxy, direction: str, size: int, must: str) -> str:
    """A line of the table."""
    sent = proxy.bytes[direction] / size
    return f"| {what} | {seconds:.1f} | {sent:.3f} | {must} | {proxy.connections} |\n"


if __name__ == "__main__":
    main()
