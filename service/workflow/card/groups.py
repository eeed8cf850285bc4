"""The section on metrics by group."""

from collections.abc import Iterator, Mapping
from typing import Any

from service.workflow.card.document import Block, Code, Paragraph, Table, Text
from service.workflow.card.recorded import NOT_RECORDED, find, mapping, objects, shown, text

MOST_ROWS = 60  # of the table
RATES = {
    "selection_rate": "Selection rate",
    "true_positive_rate": "True positive rate",
    "false_positive_rate": "False positive rate",
}
APART = ("demographic_parity_difference", "equalised_odds_difference")


def blocks(manifest: Mapping[str, Any]) -> list[Block]:
    """The worst group, the groups by each column, and how far the rates of two classes are apart."""
    slices = mapping(manifest, "slices")
    if not slices:
        return [Paragraph("Not recorded: the version is older, or no column makes groups of 20 rows or more.")]
    rated = slices.get("positive") is not None
    rows = [*_rows(slices, rated)]
    header = ["Column", "Group", "Rows", shown(_metric(slices)), "Difference", *(RATES.values() if rated else ())]
    made: list[Block] = [_worst(slices), Table(header, rows[:MOST_ROWS])]
    if len(rows) > MOST_ROWS:
        made.append(Paragraph(f"The first {MOST_ROWS} of {len(rows)} groups; the manifest has all, with every metric."))
    if rated:
        made += [*_apart(slices)]
    about = f"Rows of the part {text(slices, 'part')}. The difference is that of the group from the whole part"
    return [*made, Paragraph(f"{about}; groups of fewer than 20 rows are only counted.")]


def _rows(slices: Mapping[str, Any], rated: bool) -> Iterator[list[Text]]:
    metric = _metric(slices)
    for column in objects(slices, "columns"):
        for group in objects(column, "groups"):
            measured = find(group, "metrics", metric)
            cells = [_cell(measured), _cell(group.get("difference"))]
            rates = [_cell(group.get(name)) for name in RATES] if rated else []
            yield [Code(text(column, "column")), name_of(group), text(group, "rows"), *cells, *rates]


def _worst(slices: Mapping[str, Any]) -> Paragraph:
    worst, metric = mapping(slices, "worst"), shown(_metric(slices))
    if not worst:
        return Paragraph("No group has enough rows to be compared with the others.")
    where = f"{text(worst, 'column')}: {name_of(worst)}"
    compared = f"{metric} {text(worst, 'of_group')} in its {text(worst, 'rows')} rows, {text(worst, 'of_others')} in the others"
    if worst.get("beyond_chance") is True:
        return Paragraph(
            f"Worst group: {where}. {compared}: more than chance explains (95 %, for all groups together)."
        )
    return Paragraph(
        f"No group is worse than the others by more than chance explains (95 %, for all groups together). The nearest to it is "
        f"{where}: {compared}."
    )


def _apart(slices: Mapping[str, Any]) -> Iterator[Block]:
    """Demographic parity and equalised odds, for each column that has them."""
    columns = [each for each in objects(slices, "columns") if any(each.get(name) is not None for name in APART)]
    if columns:
        rows: list[list[Text]] = [
            [Code(text(each, "column")), *(_cell(each.get(name)) for name in APART)] for each in columns[:MOST_ROWS]
        ]
        yield Table(["Column", "Largest difference of selection rates", "Of true or false positive rates"], rows)
    positive = f"Positive is the class {text(slices, 'positive')}."
    yield Paragraph(
        f"{positive} Equal selection rates are called demographic parity, equal true and false positive rates equalised odds "
        "(Hardt, Price and Srebro, 2016). They cannot all be had where groups differ in how often they are truly positive."
    )


def name_of(group: Mapping[str, Any]) -> str:
    """What the rows of a group have in common."""
    if group.get("missing") is True:
        return "missing"
    if group.get("other") is True:
        return "other values"
    if "low" in group:
        return f"{text(group, 'low')} to {text(group, 'high')}"
    return text(group, "value")


def _metric(slices: Mapping[str, Any]) -> str:
    found = slices.get("metric")
    return found if isinstance(found, str) else NOT_RECORDED


def _cell(value: Any) -> str:
    return "–" if value is None else shown(value)
