"""MLflow: saves the model and hands over to `mlflow models serve`: `python with_mlflow.py PORT`."""

import os
import sys
import tempfile
from pathlib import Path

import mlflow.pytorch
from network import network, rows

folder = Path(tempfile.mkdtemp()) / "model"
mlflow.pytorch.save_model(network(), folder, input_example=rows(1).numpy(), serialization_format="pickle")
command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder), "--env-manager", "local"]
command += ["--host", "127.0.0.1", "--port", sys.argv[1], "--workers", "1"]
os.execv(sys.executable, command)  # noqa: S606
