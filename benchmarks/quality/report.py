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
SLOWEST = "RealMLP-TD"
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
        _each(found, [OURS, *PEERS], "Each table"),
        _each(found, [OURS, BEFORE, MOST, "CatBoost"], "Each table: before and now, and effort max"),
        _failures(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(found: Found) -> str:
    pins = [
        pin for pin in REQUIREMENTS.read_text(encoding="utf-8").split("\n") if pin and not pin.startswith(NOT_PEERS)
    ]
    codes = {(line["method"], line["code"]): None for line in found.values() if line["method"] in (OURS, BEFORE, MOST)}
    ours = ", ".join(f"{name} is commit {code}" for name, code in codes)
    return (
        f"{ours}; the peers are {', '.join(pins)}. Every method has its defaults, a seed and one thread, and sees "
        "the same rows of our default split (0.7, 0.15, 0.15): ours and RealMLP-TD learn from the training part and stop by the "
        "validation part, the others learn from both. Figures are of the test part, means over the splits of a table; "
        "a method's rank on a table is by log loss or R². Of a method that failed it is the last. "
        "[tables.py](../quality/tables.py) says how the tables were chosen, [tables.csv](../quality/tables.csv) lists them."
    )


def _rankings(found: Found, tasks: dict[str, str]) -> list[str]:
    """The ranking of all; and of all but the slowest, if those have run on more splits."""
    counted = Counter(method for _, _, method in found)
    ran = [name for name in (OURS, *PEERS) if counted[name]]
    quick = [name for name in ran if name != SLOWEST]
    more = quick != ran and min(counted[name] for name in quick) > counted[SLOWEST]
    return [_ranking(compare(found, tasks, names)) for names in ([ran, quick] if more else [ran])]


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
    for first, seconds in ((OURS, ("LightGBM", "CatBoost", "RealMLP-TD", BEFORE)), (MOST, (OURS, "CatBoost"))):
        for second in seconds:
            ratios = cpu_ratios(found, first, second)
            if ratios:
                lines.append(f"| {first} | {second} | {median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f} |")
    whole = cpu_ratios(found, OURS, OURS, "cpu_whole_s")
    extra = (
        f"\n\nWith evaluation, metrics by group, importance and warnings ours take {median(whole):.2f} times as long."
        if whole
        else ""
    )
    return "\n".join(lines) + extra


def _each(found: Found, methods: list[str], title: str) -> str:
    """The figures of each table, of the splits that all of these methods have, if they have run."""
    ran = {method for _, _, method in found}
    names = [name for name in methods if name in ran]
    compared = compare(found, [row["table"] for row in listed()], names)
    lines = [
        f"## {title}",
        "",
        f"Log loss of classes, R² of regressions ({_splits(compared)}); the best of each table is bold.",
        "",
        f"| table | task | rows | {' | '.join(names)} |",
        f"|{'---|' * (3 + len(names))}",
    ]
    about = {row["table"]: row for row in listed()}
    for table, losses in zip(compared.tables, compared.losses.tolist(), strict=True):
        task, rows = about[table]["task"], about[table]["rows"]
        texts = [f"{1 - loss if task == 'regression' else loss:.3f}" for loss in losses]
        shown = [f"**{text}**" if loss == min(losses) else text for text, loss in zip(texts, losses, strict=True)]
        lines.append(f"| {table} | {task} | {rows} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _failures(found: Found) -> str:
    """Why runs failed, each reason once for a method."""
    failed = Counter((line["method"], line["failed"]) for line in found.values() if "failed" in line)
    lines = [f"- {method}, {count} runs: {why}" for (method, why), count in failed.items()]
    return "\n".join(["## Failed", "", *lines]) if lines else ""


if __name__ == "__main__":
    sys.stdout.write(report())
