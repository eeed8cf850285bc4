"""`benchmarks/run start`: from the start of the service to ready, beside `python -c "import torch"`; and from the POST of the
tutorial's line, 1000 epochs, to `succeeded`, beside a script that trains it by hand."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx

from modelwright import Client
from service.workflow.spec import EXAMPLE

RUNS = int(os.environ.get("RUNS", "5"))
BY_HAND = """
import torch
from torch import nn
x = torch.arange(0, 1, 0.02).unsqueeze(1)
y = 0.4 * x + 0.6
torch.manual_seed(42)
class LinearRegression(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(1)), nn.Parameter(torch.randn(1))
    def forward(self, x):
        return self.weight * x + self.bias
model, loss = LinearRegression(), nn.L1Loss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(1000):
    model.train()
    value = loss(model(x[:40]), y[:40])
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
model.eval()
with torch.inference_mode():
    print(model(x[40:]))
torch.save(model.state_dict(), "/dev/null")
"""


def seconds_of(code: str) -> float:
    """The seconds that a new interpreter takes to run this code."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - began


def serve(home: str) -> tuple[float, list[float]]:
    """Seconds to ready, and of three trainings once the trainer server is loaded."""
    log = Path(home) / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", f"{home}/home"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603
    try:
        while not (address := re.search(r"http://127\.0\.0\.1:[1-9]\d*", log.read_text())):
            time.sleep(0.01)
        with Client(address[0], transport=httpx.HTTPTransport()) as client:
            while not client.ready():
                time.sleep(0.01)
            ready = time.perf_counter() - began
            client.wait(client.train(EXAMPLE)["id"])  # the trainer server has loaded what it needs
            trainings = []
            for _ in range(3):
                began = time.perf_counter()
                client.wait(client.train(EXAMPLE)["id"])
                trainings.append(time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()
    return ready, trainings


def main() -> None:
    """Prints the table as Markdown."""
    torch, ready, posted, by_hand = [], [], [], []
    for _ in range(RUNS):
        torch.append(seconds_of("import torch"))
        with tempfile.TemporaryDirectory() as home:
            started, trainings = serve(home)
        ready.append(started)
        posted += trainings
        by_hand.append(seconds_of(BY_HAND))
    sys.stdout.write(
        "| what | median seconds | ratio | must hold |\n|---|---|---|---|\n"
        f"| `import torch` | {median(torch):.2f} | | |\n"
        f"| start of the service to ready | {median(ready):.2f} | {median(ready) / median(torch):.2f} × import torch | ≤ 2 |\n"
        f"| POST of the line to `succeeded` | {median(posted):.2f} | | ≤ 1 s |\n"
        f"| `python script.py` that does the same by hand | {median(by_hand):.2f} "
        f"| {median(by_hand) / median(posted):.1f} × the POST | |\n"
    )


if __name__ == "__main__":
    main()
