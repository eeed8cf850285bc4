"""The example of model_store/README.md works, without the service and without torch."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_runs_without_the_service_and_torch(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "model_store" / "README.md").read_text(), re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    loaded = "import sys; print(*sorted({'torch', 'service', 'fastapi', 'sqlalchemy'} & sys.modules.keys()))"
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", f"{example}\n{loaded}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1 the README 1000\n\n", "")
