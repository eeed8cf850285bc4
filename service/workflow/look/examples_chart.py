"""Charts of examples: pictures and texts of each class, the worst answers, the rows of each class and the lengths of texts."""

from collections import Counter
from collections.abc import Sequence

import altair as alt

from service.workflow.look.axes import LARGE, Chart, extent
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import PARTS, chart, coloured, title
from service.workflow.look.examples import MOST_OF_A_GROUP, Example, Examples, Group
from service.workflow.look.text import distinct, text
from service.workflow.look.tiles import FAINT, INK, WRONG, Tile, Words, isolated, layer, wrapped
from service.workflow.parts import PARTS as ALL_PARTS

TILE, GAP = 64, 8  # pixels of a picture, and between two
LABEL_WIDTH = 150
LINE = 14  # pixels of a line of text
WORST_TILE, WORST_WIDTH, WORST_ACROSS = 96, 128, 6
TEXT_WIDTH, TEXT_COLUMNS, TEXT_LINES = 470, 82, 2
NAME_WIDTH, TEXT_TILE = 120, 40
MOST_TEXTS_OF_A_GROUP = 3
MOST_TEXTS = 16  # of the worst
MOST_COUNTED = 30  # classes with a bar of their own
BINS = 30


def groups(of: ChartData) -> Chart | None:
    """Pictures of each class, or its texts; None if the model has no such inputs."""
    found = of.points.examples
    if found is None or (found.picture is None and found.text is None):
        return None
    labels = of.signature.labels
    several = len(labels) > len(found.groups)
    total = sum(each.rows for each in found.groups)
    if labels:
        which = f"the {len(found.groups)} most frequent of {len(labels):,}" if several else "all"
        kind = "classes" if of.signature.classifies else "labels"
        about = f"{which} {kind}, from the part train"
    else:
        about = f"from the smallest to the largest {of.name(of.targets[0])}, from {total:,} rows of the part train"
    drawn = _texts_of_groups(found) if found.text is not None else _pictures_of_groups(found)
    names = " and ".join(text(each) for each in (found.picture, found.text) if each is not None)
    return drawn.properties(title=title(f"Examples of {names}", about))


def worst(of: ChartData) -> Chart | None:
    """The worst answers with their pictures or texts; None if the model has no such inputs."""
    found = of.points.examples
    if found is None or not found.worst or (found.picture is None and found.text is None):
        return None
    drawn = _worst_texts(found) if found.text is not None else _worst_pictures(found)
    total = max(of.rows.get(found.part, 0), len(found.worst))
    by = "by the probability of the truth" if of.signature.classifies else "by the distance from the truth"
    about = f"{found.part}, {len(drawn[1])} of {total:,} row{'s' if total != 1 else ''}, the worst first, {by}"
    several = f"{len(of.signature.outputs)} {'targets' if of.answers_numbers else 'labels'}"
    what = several if len(of.signature.outputs) > 1 else of.name(of.targets[0])
    return drawn[0].properties(title=title(f"The worst answers: {what}", about))


def class_counts(of: ChartData) -> Chart | None:
    """The rows of each class or label, coloured by part; None for numbers."""
    found = of.points.examples
    names = distinct(of.signature.labels)
    if found is None or not names or any(len(each) != len(names) for each in found.counts.values()):
        return None
    totals = [sum(counts[at] for counts in found.counts.values()) for at in range(len(names))]
    shown = sorted(range(len(names)), key=lambda at: -totals[at])[:MOST_COUNTED]
    present = [part for part in ALL_PARTS if any(found.counts.get(part, []))]
    rows = [
        {"class": names[at], "rows": found.counts[part][at], "part": part, "order": ALL_PARTS.index(part)}
        for at in sorted(shown)
        for part in present
    ]
    several = f"the {len(shown)} most frequent of {len(names):,}; " if len(shown) < len(names) else ""
    about = title("Rows of each class" if of.signature.classifies else "Rows with each label", f"{several}all parts")
    bars = chart(rows, about, LARGE[0], {"step": 20}).mark_bar(height={"band": 0.75})
    return bars.encode(
        x=alt.X("rows:Q", title="rows", axis=alt.Axis(tickCount=6, format="~s")),
        y=alt.Y("class:N", title=None, sort=[names[at] for at in sorted(shown)], axis=alt.Axis(labelLimit=180)),
        order="order:Q",
        color=coloured("part", PARTS, present)["color"],
    )


def target_values(of: ChartData) -> Chart:
    """The histogram of the first target's values, for a regression."""
    name = of.name(of.targets[0])
    values = [float(each) for each in of.points.truth]
    return _histogram(of, values, title(f"Values of {name}", of.told_rows(ALL_PARTS)), name)


def lengths(of: ChartData, name: str) -> Chart:
    """The histogram of the lengths of an input's texts."""
    values = of.points.lengths[name]
    longest = f"the longest has {max(values, default=0):,} characters"
    about = title(f"Lengths of {text(name)}", f"{of.told_rows(ALL_PARTS)}; {longest}")
    return _histogram(of, [float(each) for each in values], about, "characters", least=1.0)


def _histogram(of: ChartData, values: list[float], about: alt.Title, name: str, least: float = 0.0) -> Chart:
    """Bars over bins that are at least `least` wide, coloured by part. What is far out counts in the first or the last bin."""
    shown = extent(values)
    low, high = min(values, default=0.0), max(values, default=0.0)
    low, high = max(shown.low, low), min(shown.high, high)
    step = max((high - low) / BINS, least) or 1.0
    counts = Counter(
        (min(int((min(max(value, low), high) - low) / step), BINS - 1), part)
        for value, part in zip(values, of.points.part, strict=True)
    )
    tops: Counter[int] = Counter()
    rows = []
    for part in ALL_PARTS:
        for at in sorted(at for at, its in counts if its == part):
            below, tops[at] = tops[at], tops[at] + counts[at, part]
            ends = {"from": low + at * step, "to": low + (at + 1) * step, "below": below, "above": tops[at]}
            rows.append({**ends, "rows": counts[at, part], "part": part})
    bars = chart(rows, about, LARGE[0], 160).mark_rect(stroke="white", strokeWidth=0.5)
    most = max(tops.values(), default=1)
    return bars.encode(
        x=alt.X("from:Q", title=name, axis=alt.Axis(tickCount=7), scale=alt.Scale(nice=False, zero=False)),
        x2="to:Q",
        y=alt.Y("above:Q", title="rows", axis=alt.Axis(tickCount=min(most, 4)), scale=alt.Scale(zero=True)),
        y2="below:Q",
        color=coloured("part", PARTS, of.points.part)["color"],
    )


def _pictures_of_groups(found: Examples) -> Chart:
    if any(each.label for each in found.groups):
        return _pictures_beside_labels(found.groups)
    examples = [each for group in found.groups for each in group.examples]
    tiles, words, across = [], [], MOST_OF_A_GROUP
    height = _height(examples, TILE) + LINE + GAP
    for at, example in enumerate(examples):
        x, y = at % across * (TILE + GAP), at // across * height
        if example.picture is not None:
            tiles.append(Tile(example.picture, x, y, TILE))
        words.append(Words([example.truth], x, y + height - LINE - GAP + 2, TILE))
    return layer(tiles, words, across * (TILE + GAP), -(-len(examples) // across) * height)


def _pictures_beside_labels(found: Sequence[Group]) -> Chart:
    tiles, words, y = [], [], 0.0
    for group in found:
        lines = wrapped(group.label, 22, 2)
        words.append(Words(lines, 0, y, LABEL_WIDTH - GAP, bold=True))
        words.append(Words([_rows(group.rows)], 0, y + 2 + LINE * len(lines), LABEL_WIDTH - GAP, FAINT))
        for at, example in enumerate(group.examples):
            if example.picture is not None:
                tiles.append(Tile(example.picture, LABEL_WIDTH + at * (TILE + GAP), y, TILE))
        y += max(_height(group.examples, TILE), LINE * (len(lines) + 1)) + GAP
    return layer(tiles, words, LABEL_WIDTH + MOST_OF_A_GROUP * (TILE + GAP), y)


def _texts_of_groups(found: Examples) -> Chart:
    tiles: list[Tile] = []
    words: list[Words] = []
    y = 0.0
    text_at = NAME_WIDTH + (TEXT_TILE + GAP if found.picture is not None else 0)
    for group in found.groups:
        # The rows of a regression are evenly spaced over its target.
        step = 1 if group.label else max(len(group.examples) // MOST_TEXTS, 1)
        chosen = group.examples[: MOST_TEXTS_OF_A_GROUP if group.label else None][::step]
        top = y
        if group.label:
            lines = wrapped(group.label, 18, 2)
            words.append(Words(lines, 0, y, NAME_WIDTH - GAP, bold=True))
            words.append(Words([_rows(group.rows)], 0, y + 2 + LINE * len(lines), NAME_WIDTH - GAP, FAINT))
        for example in chosen:
            if not group.label:
                words.append(Words([example.truth], 0, y, NAME_WIDTH - GAP, bold=True))
            y += _text_row(example, text_at, y, tiles, words)
        y = max(y, top + 3 * LINE) + GAP
    return layer(tiles, words, text_at + TEXT_WIDTH, y)


def _worst_pictures(found: Examples) -> tuple[Chart, Sequence[Example]]:
    tiles: list[Tile] = []
    words: list[Words] = []
    picture_height = _height(found.worst, WORST_TILE)
    height = picture_height + 2 * LINE + GAP * 2
    for at, example in enumerate(found.worst):
        x, y = at % WORST_ACROSS * WORST_WIDTH, at // WORST_ACROSS * height
        if example.picture is not None:
            tiles.append(Tile(example.picture, x, y, WORST_TILE))
        words.append(Words([f"is {isolated(text(example.truth))}"], x, y + picture_height + 4, WORST_WIDTH - GAP))
        words.append(_answer(example, x, y + picture_height + 4 + LINE, WORST_WIDTH - GAP))
    lines = -(-len(found.worst) // WORST_ACROSS)
    across = min(len(found.worst), WORST_ACROSS)
    return layer(tiles, words, max(across * WORST_WIDTH, 320), lines * height), found.worst


def _worst_texts(found: Examples) -> tuple[Chart, Sequence[Example]]:
    tiles: list[Tile] = []
    text_at = 2 * NAME_WIDTH + (TEXT_TILE + GAP if found.picture is not None else 0)
    heads = ((0, "truth"), (NAME_WIDTH, "answer"), (text_at, found.text or ""))
    words = [Words([name], x, 0, NAME_WIDTH - GAP, FAINT) for x, name in heads]
    y, chosen = float(LINE + GAP), found.worst[:MOST_TEXTS]
    for example in chosen:
        words.append(Words(wrapped(example.truth, 18, TEXT_LINES), 0, y, NAME_WIDTH - GAP))
        words.append(_answer(example, NAME_WIDTH, y, NAME_WIDTH - GAP, said=False))
        y += _text_row(example, text_at, y, tiles, words)
    return layer(tiles, words, text_at + TEXT_WIDTH, y), chosen


def _text_row(example: Example, x: float, y: float, tiles: list[Tile], words: list[Words]) -> float:
    """Draws a text, with its picture before it if it has one. Returns the height of the row."""
    height = TEXT_LINES * LINE + GAP
    if example.picture is not None:
        tiles.append(Tile(example.picture, x - TEXT_TILE - GAP, y, TEXT_TILE))
        height = max(height, TEXT_TILE + GAP)
    words.append(Words(wrapped(example.text or "", TEXT_COLUMNS, TEXT_LINES), x, y, TEXT_WIDTH))
    return height


def _answer(example: Example, x: float, y: float, width: float, *, said: bool = True) -> Words:
    """The answer with its probability, in another colour if it is wrong."""
    probability = "" if example.probability is None else f" ({example.probability:.0%})"
    wrong = example.probability is not None and example.answer != example.truth
    before = "says " if said else ""
    answer = isolated(text(example.answer, 21 - len(before) - len(probability)))
    return Words([f"{before}{answer}{probability}"], x, y, width, WRONG if wrong else INK)


def _height(examples: Sequence[Example], side: float) -> float:
    """The height of the highest picture."""
    tiles = [Tile(each.picture, 0, 0, side) for each in examples if each.picture is not None]
    return max((each.size[1] for each in tiles), default=0.0)


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"
