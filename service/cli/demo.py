"""The demo: train, inspect, predict, plot, restart and share, over HTTP."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from modelwright import Client, ModelwrightError
from service.cli.progress import follow

_START_SECONDS = 120
_STOP_SECONDS = 30
_KEYS = ("MODELWRIGHT_FIRST_KEY", "MODELWRIGHT_ADMIN_KEY")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[1-9]\d*")


class DemoFailed(ModelwrightError):
    """The demo did not show what it should."""


class Service:
    """A service in a process of its own, on a free port."""

    def __init__(self, home: Path, log: Path) -> None:
        self.home, self.log, self.address = home, log, ""
        command = [sys.executable, "-m", "service", "serve", "--host", "127.0.0.1", "--port", "0", "--home", str(home)]
        # Only this command uses the service, so it needs no key, and no delay for load balancers.
        environment = {name: value for name, value in os.environ.items() if name not in _KEYS}
        environment = {"MODELWRIGHT_STOP_DELAY_SECONDS": "0"} | environment
        with log.open("wb") as output:
            # Its own session: it outlives this command with --keep, and Ctrl-C reaches it through `stop` only.
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                command, cwd=_package_folder(), env=environment, stdout=output, stderr=output, start_new_session=True
            )

    def client(self) -> Client:
        """A client for this service, once it can predict."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if address := _ADDRESS.search(self.log.read_text(errors="replace")):
                # A transport of our own leaves proxies from the environment aside: this is the loopback.
                key = os.environ.get("MODELWRIGHT_API_KEY")  # a home that was used before may have keys
                client = Client(address[0], api_key=key, transport=httpx.HTTPTransport())
                if client.ready():
                    self.address = address[0]
                    return client
                client.close()
            time.sleep(0.05)
        raise DemoFailed(f"The service did not start; its last words:\n{self.log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Stops it by SIGTERM, and checks its exit code."""
        self.process.terminate()
        try:
            code = self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise DemoFailed(f"The service did not end within {_STOP_SECONDS} seconds of SIGTERM.") from error
        if code:
            raise DemoFailed(f"The service ended with exit code {code} after SIGTERM.")

    def end(self) -> None:
        """Stops it by SIGTERM, or by SIGKILL."""
        try:
            self.process.terminate()
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(console: Console, *, output: Path, home: Path | None = None, keep: bool = False) -> None:
    """Runs the demo in the order of the workflow; raises DemoFailed if a result is not as expected."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services are stopped
    output.mkdir(parents=True, exist_ok=True)
    with ExitStack() as cleanup:
        folder = (home or _temporary_folder(cleanup, keep)).resolve()
        service = _start(console, cleanup, folder, output / "service.log")
        with service.client() as client:
            line = show_line(console, client, output)
            iris = show_iris(console, client, output)
            before = predict_again(client, line, iris)
        service.stop()

        console.rule("[bold]The service is stopped and started again", align="left")
        service = _start(console, cleanup, folder, output / "service.log")
        with service.client() as client:
            show_restart(console, client, [line, iris], predict_again(client, line, iris) == before)
            show_sharing(console, client, line, output)
        if keep:
            cleanup.pop_all()
            _tell_where(console, service)
        else:
            service.stop()
    console.print("\n[bold green]The whole chain works.[/]")


def show_line(console: Console, client: Client, output: Path) -> dict[str, Any]:
    """Trains the tutorial's straight line, compares its parameters, predicts and plots."""
    console.rule("[bold]A straight line, y = 0.4 x + 0.6", align="left")
    spec = json.loads(_example("line.json").read_text())
    result: dict[str, Any] = follow(client, client.train(spec), console)["result"]
    learned = client.state_dict("line", result["version"])
    figures = _table("parameter", "learned", "truth")
    for name, truth in {"weight": 0.4, "bias": 0.6}.items():
        figures.add_row(name, f"{learned[name][0]:.4f}", f"{truth}")
        if abs(learned[name][0] - truth) > 0.02:
            raise DemoFailed(f"The {name} that was learned, {learned[name][0]}, is not near {truth}.")
    console.print(figures)

    inputs = [round(0.8 + 0.02 * step, 2) for step in range(10)]
    answer = client.predict("line", inputs={"x": inputs}, version=result["version"])
    predictions = _table("x", "prediction", "truth", "truth - prediction")
    for x, prediction in zip(inputs, answer["predictions"], strict=True):
        truth = 0.4 * x + 0.6
        predictions.add_row(f"{x:.2f}", f"{prediction:.4f}", f"{truth:.4f}", f"{truth - prediction:+.4f}")
    console.print(predictions)
    save_plots(console, client, result, ["predictions", "learning_curve"], output)
    return result


def show_iris(console: Console, client: Client, output: Path) -> dict[str, Any]:
    """Uploads a real table, trains a small network on it and predicts."""
    console.rule("[bold]A real table, iris.csv", align="left")
    table = _example("iris.csv")
    dataset = client.upload_dataset("iris", table)
    console.print(f"Data set iris, version {dataset['version']}: {dataset['rows']} rows")
    spec = json.loads(_example("iris.json").read_text())
    result: dict[str, Any] = follow(client, client.train(spec), console)["result"]
    metrics = client.manifest("iris", result["version"])["metrics"]
    console.print(f"Accuracy on the test rows: {metrics['test']['accuracy']:.3f}")

    with table.open(newline="") as file:
        flowers = list(csv.DictReader(file))[7::21]
    answer = client.predict("iris", [_numbers(flower) for flower in flowers], version=result["version"])
    predictions = _table("petal length", "petal width", "prediction", "probability", "truth")
    for flower, prediction in zip(flowers, answer["predictions"], strict=True):
        label = prediction["label"]
        probability = f"{prediction['probabilities'][label]:.3f}"
        predictions.add_row(flower["petal_length"], flower["petal_width"], label, probability, flower["species"])
    console.print(predictions)
    save_plots(console, client, result, ["predictions", "learning_curve"], output)
    return result


def save_plots(console: Console, client: Client, result: dict[str, Any], plots: list[str], output: Path) -> None:
    """Saves plots as PNG and SVG, and prints their paths."""
    name, version = result["model_name"], result["version"]
    for plot in plots:
        for suffix in ("png", "svg"):
            file = output / f"{name}-{plot}.{suffix}"
            file.write_bytes(client.plot(name, version, plot, suffix))
            console.print(f"Plot: {file}", highlight=False, soft_wrap=True)


def show_restart(console: Console, client: Client, results: list[dict[str, Any]], same: bool) -> None:
    """Checks that the versions still exist and predict the same."""
    versions = _table("model", "versions")
    for name in (result["model_name"] for result in results):
        versions.add_row(name, ", ".join(str(version["version"]) for version in client.versions(name)))
    console.print(versions)
    if not same:
        raise DemoFailed("After the restart the models predict something else.")
    console.print("They predict the same as before, to the last bit.")


def show_sharing(console: Console, client: Client, result: dict[str, Any], output: Path) -> None:
    """Copies a version to a second, empty service as one file, and checks that it is the same there."""
    console.rule("[bold]A second, empty service gets the line as a bundle", align="left")
    name, version = result["model_name"], result["version"]
    bundle = client.download_bundle(name, version, output / f"{name}.zip")
    console.print(f"Bundle: {bundle}", highlight=False, soft_wrap=True)
    with ExitStack() as cleanup:
        second = _start(console, cleanup, _temporary_folder(cleanup), output / "second-service.log")
        with second.client() as other:
            other.upload_bundle(name, bundle)
            found = [_digest_and_prediction(client, name, version), _digest_and_prediction(other, name, "latest")]
        second.stop()
    comparison = _table("", "digest", "prediction for x = 0.5")
    for where, (digest, prediction) in zip(["here", "there"], found, strict=True):
        comparison.add_row(where, digest[:16], str(prediction))
    console.print(comparison)
    if found[0] != found[1]:
        raise DemoFailed("The version is not the same after its journey.")


def predict_again(client: Client, *results: dict[str, Any]) -> list[Any]:
    """What the versions predict for the same few rows."""
    flower = {"sepal_length": 5.9, "sepal_width": 3.0, "petal_length": 4.2, "petal_width": 1.5}
    rows = {"line": {"x": 0.5}, "iris": flower}
    return [
        client.predict(result["model_name"], [rows[result["model_name"]]], version=result["version"])["predictions"]
        for result in results
    ]


def _digest_and_prediction(client: Client, name: str, version: int | str) -> tuple[str, float]:
    prediction: float = client.predict(name, query={"x": 0.5}, version=version)["predictions"][0]
    return client.manifest(name, version)["digest"], prediction


def _start(console: Console, cleanup: ExitStack, home: Path, log: Path) -> Service:
    with console.status("Starting the service …"):
        service = Service(home, log)
        cleanup.callback(service.end)
        service.client().close()
    console.print(f"The service runs at {service.address}", highlight=False)
    return service


def _tell_where(console: Console, service: Service) -> None:
    console.print(f"\nThe service keeps running at {service.address} (its state is in {service.home})", soft_wrap=True)
    console.print(f"Open {service.address} in a browser; end it with: kill {service.process.pid}", soft_wrap=True)


def _temporary_folder(cleanup: ExitStack, keep: bool = False) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="modelwright-"))
    if not keep:
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _package_folder() -> Path:
    """The folder that the package `service` is in."""
    return Path(__file__).resolve().parents[2]


def _example(name: str) -> Path:
    """A file of examples/, which is beside the package in a checkout and inside it when installed."""
    folders = [_package_folder() / "service" / "examples", _package_folder() / "examples"]
    return next(folder / name for folder in folders if (folder / name).is_file())


def _numbers(flower: dict[str, str]) -> dict[str, float]:
    return {name: float(value) for name, value in flower.items() if name != "species"}


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="bold")
