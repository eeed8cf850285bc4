"""A model for rows of a table. Rebuilds it from `config.json` and `model.safetensors`, and predicts from raw rows:

    from modeling import load

    model = load("this/folder")
    model.predict([{"size": 120.5, "colour": "red", "garden": True, "sold": "2024-03-01"}])

From a shell, `python modeling.py rows.csv` prints one prediction a line, as JSON. This file is the same for every model, and
needs nothing but Python 3.11, torch 2.1 and safetensors, or later ones. Nothing is unpickled.

A row is a dict with a value for each input in `config.json`; other keys are not read. None, NaN, an empty text and the words
in `missing` stand for a missing value. The value of an input of type

    number    is a number, or a text such as "1,234.5" or "12 %";
    category  is a text; one that is not in `categories` is unknown to the model, which is no error;
    boolean   is True or False, 1 or 0, or a text such as "yes";
    datetime  is a text in ISO 8601 or in the form of the training data, a number of seconds since 1970 (milliseconds where
              `date_format` says so), or a `datetime`; a time without a zone is in UTC.
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import accumulate, pairwise
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

Config = Mapping[str, Any]  # a part of config.json
Row = Mapping[str, Any]
ROWS_AT_ONCE = 65_536  # in one forward, which bounds its memory


def load(folder: str | Path = Path(__file__).parent) -> Model:
    """The model in a folder, in evaluation mode."""
    folder = Path(folder)
    with torch.device("meta"):  # without memory or random numbers: every tensor is in the file
        model = Model(json.loads((folder / "config.json").read_text("utf-8")))
    # The file has the network's tensors under the names that torch gives them, and fitted statistics under these.
    fitted = ("preprocessing.", "target.")
    tensors = load_file(folder / "model.safetensors").items()
    state = {name if name.startswith(fitted) else f"network.{name}": each for name, each in tensors}
    model.load_state_dict(state, assign=True)
    return model.eval()


class Model(nn.Module):
    """From raw features [n, w] to answers: numbers in the units of the targets [n, targets], or the probability of each class
    [n, classes] or label [n, labels]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.inputs: Sequence[Config] = config["inputs"]
        self.dtype = torch.float64 if any(each.get("dtype") == "float64" for each in self.inputs) else torch.float32
        self.network = build(config["architecture"])
        self.preprocessing = Preprocessing(self.inputs, **config["preprocessing"]) if config["preprocessing"] else None
        self.target = TargetScaling(len(config["outputs"])) if config["target_scaling"] else None

    def forward(self, raw: Tensor) -> Tensor:
        """Answers to raw features, NaN for a missing value."""
        values: Tensor = self.network(raw if self.preprocessing is None else self.preprocessing(raw))
        values = ANSWERS[self.config["output"]](values)
        if self.config["members"] > 1:  # an ensemble, whose outputs come member after member; its answer is their mean
            values = values.unflatten(0, (self.config["members"], len(raw))).mean(dim=0)
        if self.target is not None:
            values = self.target(values)
        if self.config["task"] == "binary" and values.shape[1] == 1:
            values = torch.cat([1 - values, values], dim=1)
        return values

    def raw_features(self, rows: Sequence[Row]) -> Tensor:
        """The raw features [n, w] of rows. Raises ValueError for a value that the model cannot take."""
        raw = torch.stack([part for each in self.inputs for part in read_column(each, rows)], dim=1).to(self.dtype)
        if raw.isinf().any():
            raise ValueError(f"a number is beyond what a {self.dtype} can hold")
        if self.preprocessing is None and raw.isnan().any():
            raise ValueError("a value is missing, and this model was trained without missing values")
        return raw

    def predict(self, rows: Sequence[Row]) -> list[Any]:
        """A prediction for each row: a number, or a list of numbers for several targets; for classes
        `{"label": …, "probabilities": {class: …}}`, for labels `{"labels": […], "probabilities": {label: …}}`. None where the
        answer is not a finite number. Raises ValueError for a value that the model cannot take."""
        with torch.inference_mode():
            answers = torch.cat([self(part) for part in self.raw_features(rows).split(ROWS_AT_ONCE)]).tolist()
        return [self._prediction([each if math.isfinite(each) else None for each in row]) for row in answers]

    def _prediction(self, row: list[float | None]) -> Any:
        if self.config["task"] == "regression":
            return row[0] if len(row) == 1 else row
        if self.config["task"] == "multilabel":
            names = [each["name"] for each in self.config["outputs"]]
            labels = [name for name, each in zip(names, row, strict=True) if each is not None and each > 0.5]
            return {"labels": labels, "probabilities": dict(zip(names, row, strict=True))}
        classes, known = self.config["outputs"][0]["classes"], [each for each in row if each is not None]
        label = classes[row.index(max(known))] if len(known) == len(row) else None
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


# Networks, from features [n, d] to outputs [n, outputs]


def build(described: Config) -> nn.Module:
    """A module of this file or of torch.nn: `{"name": class, argument: value, …}`, with `layers` for those that it holds, and
    other modules as arguments. Raises ValueError if there is no such class."""
    arguments = {key: tuple(each) if isinstance(each, list) else each for key, each in described.items()}
    arguments |= {key: build(each) for key, each in described.items() if isinstance(each, dict)}
    name, layers = str(arguments.pop("name")), map(build, arguments.pop("layers", ()))
    cls = MODULES[name] if name in MODULES else getattr(nn, name, None)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ValueError(f"there is no module {name!r}")
    return cls(*layers, **arguments)


class LinearModel(nn.Module):
    """head(weight · x + bias). `weight` is [outputs, features], or [features] in a linear regression of one target."""

    def __init__(self, weight: Sequence[int], outputs: int, head: nn.Module) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(weight))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.head: Callable[[Tensor], Tensor] = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.linear(x, self.weight.view(len(self.bias), -1), self.bias))


class Residual(nn.Sequential):
    """x + layers(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, super().forward(x))  # type: ignore[no-untyped-call]


class LSTM(nn.LSTM):
    """torch's, but only the outputs of all steps, [n, steps, width]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class GRU(nn.GRU):
    """torch's, but only the outputs of all steps, [n, steps, width]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class RNN(nn.RNN):
    """torch's, but only the outputs of all steps, [n, steps, width]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]


class MultiheadAttention(nn.MultiheadAttention):
    """torch's, of each step on all steps of its row, [n, steps, width]."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, x, x, need_weights=False)[0]


class TabM(nn.Module):
    """An ensemble in one network: MLPs with shared weights and their own scalings, biases and heads (Gorishniy, Kotelnikov,
    Babenko: "TabM", ICLR 2025, arXiv 2410.24210). The outputs are [members · n, outputs], member after member."""

    def __init__(
        self, features: int, outputs: int, width: int, blocks: int, members: int, dropout: float, head: nn.Module
    ) -> None:
        super().__init__()
        widths = [features, *[width] * blocks]
        self.blocks = nn.ModuleList(TabMBlock(*pair, members, dropout) for pair in pairwise(widths))
        self.weight = nn.Parameter(torch.empty(members, width, outputs))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs))
        self.head: Callable[[Tensor], Tensor] = head

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(torch.baddbmm(self.bias, x, self.weight).flatten(0, 1))


class TabMBlock(nn.Module):
    """dropout(relu(((x · r) @ weight) · s + bias)). All members share `weight`; each has its own `r`, `s` and `bias`."""

    def __init__(self, features: int, width: int, members: int, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features, width))
        self.r = nn.Parameter(torch.empty(members, 1, features))
        self.s = nn.Parameter(torch.empty(members, 1, width))
        self.bias = nn.Parameter(torch.empty(members, 1, width))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(torch.addcmul(self.bias, (x * self.r) @ self.weight, self.s))
        return nn.functional.dropout(x, self.dropout, self.training)


MODULES: dict[str, type[nn.Module]] = {
    each.__name__: each for each in (LinearModel, Residual, TabM, LSTM, GRU, RNN, MultiheadAttention)
}

# From values to numbers

SPACE = " \t\r\n\f\v\u00a0\u2007\u202f\ufeff"  # removed from both ends of every text
DATETIME_COLUMNS = 7
DAY, YEAR = 86_400.0, 365.2425 * 86_400.0
FIRST, LAST = -62_135_596_800, 253_402_300_800  # seconds of the years 1 to 9999
PER_SECOND = {"seconds": 1.0, "milliseconds": 1e3}  # the forms of dates that are numbers
MONTHS = "january february march april may june july august september october november december"
MONTH_NAMES = {text: at for at, name in enumerate(MONTHS.split(), start=1) for text in (name, name[:3])} | {"sept": 9}
BOOLEANS = {**dict.fromkeys(("true", "yes", "t", "y", "1"), 1.0), **dict.fromkeys(("false", "no", "f", "n", "0"), 0.0)}
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
JSON_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
SEPARATORS = {".": "[,'’\u00a0\u202f]", ",": "[.'’\u00a0\u202f ]"}  # of thousands, by the decimal point


def read_column(of: Config, rows: Sequence[Row]) -> list[Tensor]:
    """The raw columns of one input, each float64 [n], NaN for a missing value. Raises ValueError; it names row and input."""
    read, expected = READERS[of["type"]]
    name, missing, values = of["name"], {"", *of.get("missing", ())}, []
    for number, row in enumerate(rows, start=1):
        if name not in row:
            raise ValueError(f"row {number} has no value for the input {name!r}; None stands for a missing one")
        value = row[name].strip(SPACE) if isinstance(row[name], str) else row[name]
        absent = value is None or value != value or (isinstance(value, str) and value in missing)
        try:
            found = math.nan if absent else read(value, of)
        except (TypeError, ValueError, OverflowError):
            found = None
        if found is None:
            raise ValueError(f"row {number}, the input {name!r}: expected {expected}, not {value!r:.80}")
        values.append(found)
    column = torch.tensor(values, dtype=torch.float64)
    return phases(column) if of["type"] == "datetime" else [column]


def read_number(value: Any, of: Config) -> float | None:
    """A number; None for anything else. Texts may have a currency, a percent sign, or thousands set apart."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, (int, float, Real)):
            return None
        return math.nan if value in of.get("missing_numbers", ()) else float(value)
    decimal = of.get("decimal", ".")
    grouped = rf"[+-]?[0-9]{{1,3}}(?:{SEPARATORS[decimal]}[0-9]{{3}})+(?:[{decimal}][0-9]*)?(?:[eE][+-]?[0-9]+)?"
    if re.fullmatch(NUMBER, value) and (decimal == "." or "." not in value or not re.fullmatch(grouped, value)):
        return float(value)
    text = value.replace("\u2212", "-")
    negative = re.fullmatch(r"\((.*)\)", text)  # as accountants write it
    text = re.sub(r"^([+-]?)\s*[$€£¥₹]\s*([+-]?)", r"\1\2", negative[1] if negative else text)
    text = re.sub(r"\s*[$€£¥₹%]$", "", text)
    if re.fullmatch(grouped, text):
        text = re.sub(SEPARATORS[decimal], "", text)
    text = ("-" if negative else "") + (text if decimal == "." else text.replace(",", ".", 1))
    return float(text) if re.fullmatch(NUMBER, text) else None


def read_category(value: Any, of: Config) -> float | None:
    """The position of a category, from 1; 0 for an unknown one."""
    if isinstance(value, (dict, list, tuple)):
        return None
    text, (exact, same) = as_text(value), positions(tuple(of["categories"]))
    return exact[text] if text in exact else same.get(meaning(text), 0.0)


@cache
def positions(categories: tuple[str, ...]) -> tuple[dict[str, float], dict[str, float]]:
    """The position of each category, and of the first one of each meaning."""
    placed = [(text, float(at)) for at, text in enumerate(categories, start=1)]
    return dict(placed), {meaning(text): at for text, at in reversed(placed)}


def meaning(text: str) -> str:
    """The same text for all ways to write a number or a boolean, such as 1, 1.0 and 1e0, or true and True."""
    bare = text.strip(SPACE)
    if len(bare) <= 28 and re.fullmatch(JSON_NUMBER, bare):
        return str(Decimal(bare).normalize() + 0)
    return bare.lower() if bare.lower() in ("true", "false") else bare


def as_text(value: Any) -> str:
    """A value as JSON writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def read_boolean(value: Any, of: Config) -> float | None:
    """1 for true, 0 for false."""
    return BOOLEANS.get(value.lower()) if isinstance(value, str) else float(value) if value in (0, 1) else None


def read_datetime(value: Any, of: Config) -> float | None:
    """Seconds since 1970."""
    form = of.get("date_format", "")
    if isinstance(value, date) or (form == "%Y%m%d" and isinstance(value, int)):
        value = value.isoformat() if isinstance(value, date) else str(value)
    if not isinstance(value, str):
        found = float(value) / PER_SECOND.get(form, 1.0) if type(value) is not bool else math.nan
    elif form in PER_SECOND and re.fullmatch(NUMBER, value):
        found = float(value) / PER_SECOND[form]
    else:
        matches = (re.match(pattern, value) for pattern in of["date_patterns"])
        times = (time_of(each.groupdict()) for each in matches if each)
        time = next(filter(None, times), None) or datetime.fromisoformat(value)  # which knows other forms of ISO 8601
        found = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return found if FIRST <= found < LAST else None


def time_of(given: Mapping[str, str | None]) -> datetime | None:
    """The time of the groups that a pattern in `date_patterns` has found; None if they are no time."""
    hour, minute, half, zone = int(given["H"] or 0), given["M"], given["p"], given["z"] or "Z"
    if (given["H"] and not (minute or half or given["z"])) or (half and not 1 <= hour <= 12):
        return None  # a single number after a date is no time of day
    if week_year := given.get("G"):
        day = date.fromisocalendar(int(week_year), int(given["V"] or 1), int(given.get("u") or 1))
    else:
        year = int(given.get("Y") or 1969 + (int(given.get("y") or 0) - 1969) % 100)
        month = MONTH_NAMES[name.lower()] if (name := given.get("b")) else int(given["m"] or 1)
        day = date(year, month, int(given.get("d") or 1))
    hour = hour % 12 + 12 * (half[0] in "Pp") if half else hour
    east = datetime.strptime((zone.replace(":", "") + "00")[:5], "%z").tzinfo if zone[0] in "+-" else UTC
    clock = (hour, int(minute or 0), int(given["S"] or 0), int((given["f"] or "0").ljust(6, "0")[:6]))
    return datetime(day.year, day.month, day.day, *clock, tzinfo=east)


def phases(time: Tensor) -> list[Tensor]:
    """Days since 2000, and the phases of the year, the week and the day as sine and cosine."""
    cycles = ((YEAR, 0.0), (7 * DAY, 4 * DAY), (DAY, 0.0))  # 1970-01-05 was a Monday
    angles = [2 * math.pi * ((time - start) % period / period) for period, start in cycles]
    return [(time - 30 * YEAR) / DAY, *(wave(each) for each in angles for wave in (torch.sin, torch.cos))]


READERS: dict[str, tuple[Callable[[Any, Config], float | None], str]] = {
    "number": (read_number, "a number"),
    "category": (read_category, "a text"),
    "boolean": (read_boolean, "true or false"),
    "datetime": (read_datetime, "a date or time"),
}


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
