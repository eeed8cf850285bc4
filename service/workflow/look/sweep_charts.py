"""The charts of a sweep: what its trials have come to, by their numbers and by their settings."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Chart
from service.workflow.look.drawing import BLACK, BLUE, HEIGHT, VERMILLION, WIDTH, chart, title
from service.workflow.look.text import distinct
from service.workflow.search.setting_importance import FEWEST, setting_importance

BAR = 18  # pixels of a bar and its gap
LONGEST_VALUE = 24  # characters of a choice at its axis
Trial = dict[str, Any]  # its number, its values and its objective


@dataclass(frozen=True)
class SweepData:
    """What the charts of a sweep are drawn from: the trials that have come to something, in the order of their numbers.

    Attributes:
        search: the fields, and what they may be: `{"log": [a, b]}` and so on.
        minimized: whether less of the objective is better.
    """

    objective: str
    minimized: bool
    search: dict[str, dict[str, Any]]
    trials: list[Trial]

    @property
    def best(self) -> Trial:
        """The best trial, the first of equal ones."""
        sign = 1 if self.minimized else -1
        return min(self.trials, key=lambda each: (sign * each["objective"], each["number"]))


def history(of: SweepData) -> Chart:
    """The objective of each trial over its number, and the best so far."""
    pick, so_far, best = (min if of.minimized else max), list[dict[str, Any]](), None
    for each in of.trials:
        best = each["objective"] if best is None else pick(best, each["objective"])
        so_far.append({"number": each["number"], "objective": best})
    x = alt.X("number:Q", title="trial", axis=alt.Axis(format="~d", tickMinStep=1), scale=alt.Scale(nice=False))
    y = alt.Y("objective:Q", title=of.objective, scale=alt.Scale(zero=False))
    points = [{"number": each["number"], "objective": each["objective"]} for each in of.trials]
    dots = chart(points, width=WIDTH, height=HEIGHT).mark_point(color=BLUE, filled=True, size=40, opacity=0.7)
    line = chart(so_far).mark_line(color=VERMILLION, interpolate="step-after", strokeWidth=1.8)
    about = f"best: trial {of.best['number']}, {of.best['objective']:.4g}; line: the best so far"
    return alt.layer(line.encode(x=x, y=y), dots.encode(x=x, y=y), title=title("History of the sweep", about))


def parallel_coordinates(of: SweepData) -> Chart:
    """A line for each trial through its settings and what it came to; the best one is drawn over the others."""
    names = distinct([*of.search, of.objective])
    objectives = [each["objective"] for each in of.trials]
    scales = [_scale(each) for each in of.search.values()] + [_scale({"uniform": [min(objectives), max(objectives)]})]
    rows, marks = list[dict[str, Any]](), list[dict[str, Any]]()
    for each in of.trials:
        values = [*(each["values"][name] for name in of.search), each["objective"]]
        for name, value, scale in zip(names, values, scales, strict=True):
            row = {"trial": each["number"], "objective": each["objective"], "best": each is of.best}
            rows.append({"axis": name, "place": scale.place(value), **row})
    for name, scale in zip(names, scales, strict=True):
        marks += [{"axis": name, "place": place, "label": label} for place, label in scale.labels]
    x = alt.X("axis:N", title=None, sort=names, axis=alt.Axis(labelAngle=-25, labelLimit=200, grid=True))
    y = alt.Y("place:Q", title=None, axis=None, scale=alt.Scale(domain=[-0.04, 1.04], nice=False))
    scheme = alt.Scale(scheme="viridis", reverse=of.minimized)
    colour = alt.Color("objective:Q", title=of.objective, scale=scheme)
    wide = max(WIDTH, 110 * len(names))
    others = chart([row for row in rows if not row["best"]], width=wide, height=HEIGHT).mark_line(opacity=0.6)
    best = chart([row for row in rows if row["best"]]).mark_line(color=VERMILLION, strokeWidth=3)
    labels = chart(marks).mark_text(align="left", dx=5, fontSize=10, color=BLACK).encode(x=x, y=y, text="label:N")
    about = f"bold: the best, trial {of.best['number']}; from the bottom to the top of each axis the values rise"
    layers = [others.encode(x=x, y=y, detail="trial:N", color=colour)] if len(of.trials) > 1 else []
    return alt.layer(*layers, best.encode(x=x, y=y), labels, title=title("Settings of the trials", about))


def importance(of: SweepData) -> Chart:
    """Bars of how much of the trials' order each setting explains alone.

    Raises:
        NotAvailable: there are too few trials to say.
    """
    if len(of.trials) < FEWEST:
        raise NotAvailable(
            f"the importance of settings takes {FEWEST} trials that have succeeded; {len(of.trials)} have"
        )
    losses = [each["objective"] if of.minimized else -each["objective"] for each in of.trials]
    shares = {}
    for name, dimension in of.search.items():
        values = [each["values"][name] for each in of.trials]
        numeric = "choice" not in dimension
        shares[name] = setting_importance([float(each) if numeric else json.dumps(each) for each in values], losses)
    order = sorted(shares, key=lambda name: -shares[name])
    names = distinct(order)
    rows = [{"setting": shown, "share": shares[name]} for shown, name in zip(names, order, strict=True)]
    y = alt.Y("setting:N", title=None, sort=names, axis=alt.Axis(labelLimit=220))
    x = alt.X(
        "share:Q", title="share of the order of the trials", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])
    )
    about = title(
        "Importance of the settings",
        f"{len(of.trials):,} trials by {of.objective}; each setting alone, in four groups of its values",
        "settings that only count together are not seen",
    )
    bars = chart(rows, width=WIDTH, height=BAR * max(len(rows), 2)).mark_bar(color=BLUE, height={"band": 0.7})
    return bars.encode(x=x, y=y).properties(title=about)


SWEEP_CHARTS: dict[str, Callable[[SweepData], Chart]] = {
    "history": history,
    "parallel_coordinates": parallel_coordinates,
    "importance": importance,
}


@dataclass(frozen=True)
class _Scale:
    """Where the values of one axis are drawn, from 0 to 1, and what is written there."""

    kind: Literal["number", "log", "choice"]
    values: list[Any]

    def place(self, value: Any) -> float:
        if self.kind == "choice":
            texts = [json.dumps(each) for each in self.values]
            return 0.5 if len(texts) < 2 else texts.index(json.dumps(value)) / (len(texts) - 1)
        low, high = self.values
        if self.kind == "log":
            low, high, value = math.log(low), math.log(high), math.log(value)
        return 0.5 if high <= low else min(max((value - low) / (high - low), 0.0), 1.0)

    @property
    def labels(self) -> list[tuple[float, str]]:
        if self.kind == "choice":
            return [(self.place(each), json.dumps(each)[:LONGEST_VALUE]) for each in self.values]
        return [(self.place(each), f"{each:.4g}") for each in dict.fromkeys(self.values)]


def _scale(dimension: dict[str, Any]) -> _Scale:
    if "choice" in dimension:
        return _Scale("choice", dimension["choice"])
    values = dimension.get("log") or dimension.get("uniform") or dimension["int"]
    return _Scale("log" if "log" in dimension else "number", values)
