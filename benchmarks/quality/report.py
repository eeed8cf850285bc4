"""The results in the cache as Markdown: `python -m benchmarks.quality.report`."""

import sys
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.quality import cache
from benchmarks.quality.comparisons import LEVEL, Comparison, compare, cpu_ratios, rank_differences
from benchmarks.quality.tables import listed

PEERS = ("CatBoost", "LightGBM", "XGBoost", "HistGradientBoosting", "RealMLP-TD", "linear")
OURS, BEFORE, MOST = "ours", "ours-before", "ours-max"
REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements-quality.txt"
NOT_PEERS = ("#", "numpy", "pandas", "pyarrow", "torch=")
Found = dict[cache.Key, dict[str, Any]]


def report() -> str:
    """All figures."""
    tasks = {each["table"]: each["task"] for each in listed()}
    found = {key: line for key, line in cache.results().items() if key[0] in tasks}
    parts = [
        _about(found),
        *_rankings(found, tasks),
        _against(found, tasks, OURS, "LightGBM"),
        _against(found, tasks, OURS, "CatBoost"),
        _against(found, tasks, MOST, "CatBoost"),
        _against(found, tasks, OURS, BEFORE),
        _cpu(found),
        _each(found, tasks),
        _failures(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(found: Found) -> str:
    pins = [
        pin for pin in REQUIREMENTS.read_text(encoding="utf-8").split("\n") if pin and not pin.startswith(NOT_PEERS)
    ]
    codes = {line["method"]: line["code"] for line in found.values() if "code" in line}
    ours = ", ".join(f"{name} is commit {code}" for name, code in codes.items())
    return (
        f"{ours}; the peers are {', '.join(pins)}. Every method has its defaults, a seed and one thread, and sees "
        "the same rows of our default split (0.7, 0.15, 0.15): ours and RealMLP-TD learn from the training part and stop by the "
        "validation part, the others learn from both. Figures are of the test part, means over the splits of a table; "
        "a method's rank on a table is by log loss or R². Of a method that failed it is the last. "
        "[tables.py](../quality/tables.py) says how the tables were chosen, [tables.csv](../quality/tables.csv) lists them."
    )


def _rankings(found: Found, tasks: dict[str, str]) -> list[str]:
    """The ranking of all; and without those methods that have not run on all tables, if there are any."""
    counted = {name: len({table for table, _, method in found if method == name}) for name in (OURS, *PEERS)}
    ran = [name for name, tables in counted.items() if tables]
    complete = [name for name in ran if counted[name] == max(counted.values())]
    return [_ranking(compare(found, tasks, names)) for names in ([ran] if ran == complete else [complete, ran])]


def _ranking(compared: Comparison) -> str:
    ranks = compared.ranks
    means = ranks.mean(0)
    first = int(means.argmin())
    lines = [
        f"## Mean rank of {len(compared.methods)} on {len(compared.tables)} tables, {_splits(compared)}",
        "",
        f"| method | mean rank | more than {compared.methods[first]} | {LEVEL:.0%} interval over tables | first on |",
        "|---|---|---|---|---|",
    ]
    differences = rank_differences(ranks, first)
    for at in means.argsort():
        difference, low, high = differences[at]
        interval = "" if at == first else f"{low:+.2f} to {high:+.2f}"
        name = f"**{compared.methods[at]}**" if compared.methods[at] == OURS else compared.methods[at]
        lines.append(f"| {name} | {means[at]:.2f} | {difference:.2f} | {interval} | {int((ranks[:, at] == 1).sum())} |")
    return "\n".join(lines)


def _splits(compared: Comparison) -> str:
    """How many splits were run on how many tables."""
    counts = Counter(len(each) for each in compared.splits)
    parts = [f"{splits} split{'s' * (splits > 1)} on {tables}" for splits, tables in sorted(counts.items())]
    return " and ".join(parts) if len(counts) > 1 else parts[0].split(" on ")[0]


def _against(found: Found, tasks: dict[str, str], first: str, second: str) -> str:
    compared = compare(found, tasks, [first, second])
    if not compared.tables:
        return ""
    wins, tables = compared.wins()
    worse = [
        f"{name} ({'R²' if tasks[name] == 'regression' else 'log loss'} {mine:.3f}, {theirs:.3f})"
        for name, mine, theirs in compared.clearly_worse(tasks)
    ]
    return (
        f"## {first} against {second}\n\nBetter on {wins:g} of {tables} tables ({wins / tables:.0%}; {_splits(compared)}). "
        f"More than 5 % worse in log loss or 0.03 in R² on {len(worse)}{': ' if worse else ''}{', '.join(worse)}."
    )


def _cpu(found: Found) -> str:
    lines = [
        "## CPU seconds of training",
        "",
        "| of | as a multiple of | median over tables | least | most |",
        "|---|---|---|---|---|",
    ]
    for first in (OURS, BEFORE, MOST):
        for second in ("LightGBM", "CatBoost", "RealMLP-TD", BEFORE):
            ratios = cpu_ratios(found, first, second) if first != second else []
            if ratios:
                lines.append(f"| {first} | {second} | {median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} |")
    whole = cpu_ratios(found, OURS, OURS, "cpu_whole_s")
    extra = (
        f"\n\nWith evaluation, metrics by group, importance and warnings ours take {median(whole):.2f} times as long."
        if whole
        else ""
    )
    return "\n".join(lines) + extra


def _each(found: Found, tasks: dict[str, str]) -> str:
    """The figures of each table: log loss, or R²."""
    names = [name for name in (OURS, BEFORE, MOST, *PEERS) if any(method == name for _, _, method in found)]
    lines = [
        "## Each table",
        "",
        "Log loss of classes, R² of regressions; the best of each table is bold.",
        "",
        f"| table | task | rows | {' | '.join(names)} |",
        f"|{'---|' * (3 + len(names))}",
    ]
    for row in listed():
        table = row["table"]
        regression = tasks[table] == "regression"
        figures = {name: float(each.losses[0, 0]) for name in names if (each := compare(found, [table], [name])).tables}
        best = min(figures.values(), default=None)
        shown = []
        for name in names:
            if name not in figures:
                shown.append("")
                continue
            text = f"{1 - figures[name] if regression else figures[name]:.3f}"
            shown.append(f"**{text}**" if figures[name] == best else text)
        lines.append(f"| {table} | {tasks[table]} | {row['rows']} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _failures(found: Found) -> str:
    failed = [line for line in found.values() if "failed" in line]
    lines = [f"- {each['method']}, {each['table']}, split {each['split']}: {each['failed']}" for each in failed]
    return "\n".join(["## Failed", "", *lines]) if lines else ""


if __name__ == "__main__":
    sys.stdout.write(report())
