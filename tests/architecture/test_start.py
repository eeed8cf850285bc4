import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOW = {"torchmetrics", "polars", "altair", "vl_convert", "psycopg"}
START = """
import asyncio, os, sys
from pathlib import Path
from service.app import create_app
from service.settings import Settings

async def start():
    app = create_app(Settings.read(home=Path(sys.argv[1])))
    async with app.router.lifespan_context(app):
        print("\\n".join(sys.modules), flush=True)
        os._exit(0)

asyncio.run(start())
"""


def test_what_takes_long_to_import_is_not_imported_before_ready(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)  # noqa: S603 - our own
    imported = set(done.stdout.split())
    assert "torch" in imported
    assert not imported & SLOW
