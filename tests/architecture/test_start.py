import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOW = {"torchmetrics", "polars", "optuna", "altair", "vl_convert", "psycopg", "obstore"}
COMPILER = {"torch._dynamo", "sympy"}  # torch.compile and its library for symbols: 80 MB
START = """
import asyncio, os, sys
from pathlib import Path
from model_store import Store
from service.app import create_app
from service.settings import Settings
from service.startup import start_up
from service.use_cases.submit_training import Limits, plan
from service.workflow.spec import parse
from tests.workflow.learning import spec, train

LIMITS = Limits(10**9, 10**9, 10**9)
STEPS = {"optimizer": {"name": "AdamW"}, "scheduler": {"name": "StepLR", "step_size": 2}}
MODELS = [{"kind": "linear_regression"}, {"kind": "mlp"}, {"kind": "tabm"}]

def submit():
    records = [{"x": float(i), "y": 2.5 * i} for i in range(40)]
    data = {"kind": "rows", "records": records, "target": "y"}
    for model in MODELS:
        submitted = parse({"model_name": "m", "data": data, "model": model, "loss": {"name": "MSELoss"}, **STEPS})
        plan(Store.open(Path(sys.argv[1]) / "store"), submitted, LIMITS)

async def start():
    app = create_app(start_up(Settings.read(home=Path(sys.argv[1])))).framework
    async with app.router.lifespan_context(app):
        print(*sys.modules, flush=True)
        submit()
        print(*sys.modules, flush=True)
        train(spec("kind", model={"kind": "mlp", "normalization": "LayerNorm"}, training={"epochs": 2}, **STEPS))
        print(*sys.modules, flush=True)
        os._exit(0)

asyncio.run(start())
"""


def test_slow_imports_are_deferred(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)  # noqa: S603 - our own
    ready, submitted, trained = (set(line.split()) for line in done.stdout.splitlines())
    assert "torch" in ready
    assert not ready & SLOW
    assert not submitted & (SLOW | COMPILER)
    assert not trained & COMPILER
