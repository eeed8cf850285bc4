"""The implementation of `scripts/compare-openapi`: the differences between two OpenAPI documents."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]


def differences(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """A line for each value that was added, removed or changed, with its JSON pointer. The order of keys does not count."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            pointer = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in after:
                yield f"removed {pointer}"
            elif key not in before:
                yield f"added {pointer}"
            else:
                yield from differences(before[key], after[key], pointer)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, f"{at}/{index}")
    elif (type(before), before) != (type(after), after):
        yield f"changed {at}: {json.dumps(before)} -> {json.dumps(after)}"


def document(source: str | None) -> Any:
    """The OpenAPI document of a JSON file, of a git revision, or of the working tree."""
    if source is None:
        return served_by(ROOT)
    if Path(source).is_file():
        return json.loads(Path(source).read_text())
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), source], check=True)  # noqa: S603 - our own
        try:
            return served_by(tree)
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)  # noqa: S603 - our own


def served_by(tree: Path) -> Any:
    """The response of a service started from that folder to `GET /openapi.json`."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", home]
        environment = os.environ | {"PYTHONPATH": str(tree), "MODELWRIGHT_STOP_DELAY_SECONDS": "0"}
        with subprocess.Popen(command, cwd=tree, env=environment, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
            try:
                assert process.stderr is not None
                output = ""
                for line in process.stderr:
                    output += line
                    if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
                        return httpx.get(f"{found[1]}/openapi.json", timeout=60, trust_env=False).json()
                raise SystemExit(f"the service of {tree} did not start:\n{output}")
            finally:
                process.terminate()


def main(before: str, after: str | None = None) -> int:
    """Prints the differences; returns the exit status."""
    found = list(differences(document(before), document(after)))
    print(*found, sep="\n", end="\n" if found else "")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
