"""A model that predicts from raw rows. Rebuilds it from `config.json` and `model.safetensors`:

    from modeling import load

    model = load("this/folder")
    model.predict([{"size": 120.5, "colour": "red", "garden": True, "sold": "2024-03-01", "photo": "front.jpg"}])

From a shell, `python modeling.py rows.csv` prints one prediction a line, as JSON. The files `modeling*.py` are the same for every
model, and need nothing but Python 3.11, torch 2.1 and safetensors, or later ones; for images and videos Pillow 10.1, for texts
that are split into byte pairs tokenizers. Nothing is unpickled.

A row is a dict with a value for each input in `config.json`; other keys are not read. None, NaN, an empty text and the words
in `missing` stand for a missing value. The value of an input of type

    number    is a number, or a text such as "1,234.5" or "12 %";
    category  is a text; one that is not in `categories` is unknown to the model, which is no error;
    boolean   is True or False, 1 or 0, or a text such as "yes";
    datetime  is a text in ISO 8601 or in the form of the training data, a number of seconds since 1970 (milliseconds where
              `date_format` says so), or a `datetime`; a time without a zone is in UTC;
    text      is a text;
    image, video, tensor: see `modeling_shapes.py`.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parent))  # of the other files, however this one was found

from modeling_networks import build
from modeling_shapes import SHAPED, read_shaped
from modeling_values import DATETIME_COLUMNS, SPACE, as_text, read_column

Config = Mapping[str, Any]  # a part of config.json
Row = Mapping[str, Any]
ROWS_AT_ONCE = 65_536  # in one forward, which bounds its memory
NUMBERS_AT_ONCE = 2**22  # of the tensors of values that have a shape


def load(folder: str | Path = Path(__file__).parent) -> Model:
    """The model in a folder, in evaluation mode."""
    folder = Path(folder)
    with torch.device("meta"):  # without memory or random numbers: every tensor is in the file
        model = Model(json.loads((folder / "config.json").read_text("utf-8")))
    # The file has the network's tensors under the names that torch gives them, and fitted statistics under these.
    tensors = load_file(folder / "model.safetensors").items()
    model.load_state_dict({own_name(name): each for name, each in tensors}, assign=True)
    return model.eval()


def own_name(name: str) -> str:
    """The name in `Model` of a tensor in the file."""
    scaling = "preprocessing.inputs."
    if name.startswith(scaling):
        return "scalings." + name.removeprefix(scaling)
    return name if name.startswith(("preprocessing.", "target.", "calibration.")) else f"network.{name}"


class Model(nn.Module):
    """From raw features to answers: numbers in the units of the targets [n, targets], or the probability of each class
    [n, classes] or label [n, labels]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.inputs: Sequence[Config] = config["inputs"]
        self.table = [each for each in self.inputs if each["type"] not in SHAPED]
        self.shaped = [each for each in self.inputs if each["type"] in SHAPED]
        self.dtype = torch.float64 if any(each.get("dtype") == "float64" for each in self.table) else torch.float32
        self.scaled = [each["name"] for each in self.shaped if "statistics" in each]
        self.scalings = nn.ModuleList(Scaling(each["statistics"]) for each in self.shaped if "statistics" in each)
        numbers = sum(math.prod(each["shape"]) for each in self.shaped)
        self.rows_at_once = max(1, NUMBERS_AT_ONCE // numbers) if self.shaped else ROWS_AT_ONCE
        self.network = build(config["architecture"])
        self.preprocessing = Preprocessing(self.table, **config["preprocessing"]) if config["preprocessing"] else None
        self.target = TargetScaling(len(config["outputs"])) if config["target_scaling"] else None
        self.calibration = Temperature() if config["calibrated"] else None

    def forward(self, raw: Tensor | dict[str, Tensor]) -> Tensor:
        """Answers to raw features, NaN for a missing value."""
        values: Tensor = self.network(self.encode(raw))
        if self.calibration is not None:
            calibrated: Tensor = self.calibration(self.logits(values))
            return calibrated
        values = ANSWERS[self.config["output"]](values)
        if (members := self.config["members"]) > 1:  # an ensemble, whose outputs come member after member: their mean
            values = values.unflatten(0, (members, len(values) // members)).mean(dim=0)
        if self.target is not None:
            values = self.target(values)
        if self.config["task"] == "binary" and values.shape[1] == 1:
            values = torch.cat([1 - values, values], dim=1)
        return values

    def logits(self, values: Tensor) -> Tensor:
        """The logits of the classes [n, classes]; of an ensemble the logarithms of its mean probabilities."""
        if self.config["output"] == "logit":  # of the second of two classes
            values = torch.cat([torch.zeros_like(values), values], dim=1)
        elif self.config["output"] == "probability":  # one that is rounded to 0 or 1 is the next number
            values = values.clamp(torch.finfo(torch.float32).tiny, 1 - torch.finfo(torch.float32).eps / 2)
            values = torch.cat([(-values).log1p(), values.log()], dim=1)
        if (members := self.config["members"]) > 1:
            values = values.log_softmax(dim=1).unflatten(0, (members, len(values) // members)).logsumexp(dim=0)
        return values

    def encode(self, raw: Tensor | dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
        """What the network takes: one tensor, or several by name, of which `features` are the columns of a table."""
        found = {"features": raw} if isinstance(raw, Tensor) else dict(raw)
        if self.preprocessing is not None:
            found["features"] = self.preprocessing(found["features"])
        for name, scaling in zip(self.scaled, self.scalings, strict=True):
            found[name] = scaling(found[name])
        return found if len(found) > 1 else next(iter(found.values()))

    def raw_features(self, rows: Sequence[Row], first: int = 1) -> Tensor | dict[str, Tensor]:
        """The raw features of rows: [n, w], or a dict with `features` [n, w], if there are any, and a tensor [n, *shape] for each
        input whose values have a shape. `first` is the number of the first row in messages. Raises ValueError for a value that
        the model cannot take."""
        shaped = {each["name"]: read_shaped(each, rows, first) for each in self.shaped}
        if not self.table:
            return shaped
        raw = torch.stack([part for each in self.table for part in read_column(each, rows, first)], dim=1).to(
            self.dtype
        )
        if raw.isinf().any():
            raise ValueError(f"a number is beyond what a {self.dtype} can hold")
        if self.preprocessing is None and raw.isnan().any():
            raise ValueError("a value is missing, and this model was trained without missing values")
        return {"features": raw, **shaped} if shaped else raw

    def predict(self, rows: Sequence[Row]) -> list[Any]:
        """A prediction for each row: a number, or a list of numbers for several targets; for classes
        `{"label": …, "probabilities": {class: …}}`, for labels `{"labels": […], "probabilities": {label: …}}`. None where the
        answer is not a finite number. Raises ValueError for a value that the model cannot take."""
        answers, size = [], self.rows_at_once
        with torch.inference_mode():
            for start in range(0, len(rows), size):
                answers += self(self.raw_features(rows[start : start + size], start + 1)).tolist()
        return [self._prediction([each if math.isfinite(each) else None for each in row]) for row in answers]

    def _prediction(self, row: list[float | None]) -> Any:
        if self.config["task"] == "regression":
            return row[0] if len(row) == 1 else row
        if self.config["task"] == "multilabel":
            names = [each["name"] for each in self.config["outputs"]]
            labels = [name for name, each in zip(names, row, strict=True) if each is not None and each > 0.5]
            return {"labels": labels, "probabilities": dict(zip(names, row, strict=True))}
        output, known = self.config["outputs"][0], [each for each in row if each is not None]
        classes, threshold, label = output["classes"], output.get("threshold"), None
        if len(known) == len(row):
            at = row.index(max(known)) if threshold is None else int(known[1] > threshold)
            label = classes[at]
        return {"label": label, "probabilities": dict(zip(map(as_text, classes), row, strict=True))}


# From what the network was trained to give, to numbers or probabilities.
ANSWERS: dict[str, Callable[[Tensor], Tensor]] = {
    **dict.fromkeys(("value", "rate", "probability"), lambda values: values),
    **dict.fromkeys(("log_rate", "log_probabilities"), torch.exp),
    "value_and_variance": lambda values: values.chunk(2, dim=1)[0],
    "logit": torch.sigmoid,
    "scores": lambda values: torch.softmax(values, dim=1),
}


class Preprocessing(nn.Module):
    """From raw features [n, w] to encoded ones, float32 [n, d]: the numbers, with `fill` for a missing one, and normalized by
    `mean` and `std` if `normalize`; whether the value is missing, for each input in `indicators`; and a column of ones and
    zeros for each category."""

    fill: Tensor
    indicated: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, inputs: Sequence[Config], normalize: bool, indicators: Sequence[str]) -> None:
        super().__init__()
        widths = [DATETIME_COLUMNS if each["type"] == "datetime" else 1 for each in inputs]
        placed = [*zip(inputs, accumulate(widths[:-1], initial=0), widths, strict=True)]  # with each's first raw column
        self.numbers = [at + k for each, at, width in placed if each["type"] != "category" for k in range(width)]
        self.categories = [(at, len(each["categories"])) for each, at, _ in placed if each["type"] == "category"]
        self.normalize = normalize
        self.register_buffer("fill", torch.zeros(len(self.numbers)))
        self.register_buffer("indicated", torch.zeros(len(indicators), dtype=torch.int64))  # their raw columns
        self.register_buffer("mean", torch.zeros(len(self.numbers)) if normalize else None)
        self.register_buffer("std", torch.ones(len(self.numbers)) if normalize else None)

    def forward(self, raw: Tensor) -> Tensor:
        """Encodes raw features, NaN for a missing value."""
        numbers = raw[:, self.numbers]
        numbers = torch.where(numbers.isnan(), self.fill, numbers)
        if self.normalize:
            numbers = (numbers - self.mean) / self.std
        parts = [numbers.float(), raw[:, self.indicated].isnan().float()]
        for at, count in self.categories:  # 1 is the first category; 0 an unknown one, which has no column
            positions = raw[:, at].nan_to_num(0.0).long()
            parts.append(nn.functional.one_hot(positions, count + 1)[:, 1:].float())
        return torch.cat(parts, dim=1)


class Scaling(nn.Module):
    """From a raw tensor [n, *shape], of uint8 or float32, to float32 with mean 0 and standard deviation 1 in the training data; a
    missing number becomes 0. `shape` is that of the statistics."""

    mean: Tensor
    std: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    def forward(self, raw: Tensor) -> Tensor:
        return ((raw.to(torch.float32) - self.mean) / self.std).nan_to_num(0.0)


class TargetScaling(nn.Module):
    """From the scale of the training to the units of the targets, [n, targets]."""

    mean: Tensor
    std: Tensor

    def __init__(self, targets: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(targets))
        self.register_buffer("std", torch.ones(targets))

    def forward(self, values: Tensor) -> Tensor:
        return values * self.std + self.mean


class Temperature(nn.Module):
    """From logits [n, classes] to calibrated probabilities."""

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits / self.temperature, dim=1)


def read_csv(path: str | Path, config: Config) -> list[dict[str, str]]:
    """The rows of a CSV file. Its separator is the one by which the first line names the most inputs."""
    inputs = {each["name"] for each in config["inputs"]}
    with Path(path).open(encoding=config["encoding"], newline="") as file:
        first = file.readline()
        file.seek(0)
        separator = max(",;\t|", key=lambda each: len({cell.strip(SPACE + '"') for cell in first.split(each)} & inputs))
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        names = [each.strip(SPACE) for each in next(reader)]
        return [dict(zip(names, row, strict=True)) for row in reader if any(row)]


if __name__ == "__main__":
    loaded = load()
    for prediction in loaded.predict(read_csv(sys.argv[1], loaded.config)):
        sys.stdout.write(json.dumps(prediction) + "\n")
