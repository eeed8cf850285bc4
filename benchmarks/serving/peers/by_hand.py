"""FastAPI as one writes it by hand: `python by_hand.py PORT`."""

import sys

import torch
import uvicorn
from fastapi import FastAPI
from network import network
from pydantic import BaseModel

app = FastAPI()
model = network()


class Rows(BaseModel):
    """The body."""

    instances: list[list[float]]


class Predictions(BaseModel):
    """The answer."""

    predictions: list[float]


@app.post("/predict")
async def predict(rows: Rows) -> Predictions:
    """One forward for each request."""
    with torch.inference_mode():
        return Predictions(predictions=model(torch.tensor(rows.instances)).squeeze(1).tolist())


uvicorn.run(app, port=int(sys.argv[1]), http="httptools", loop="uvloop", access_log=False, log_level="warning")
