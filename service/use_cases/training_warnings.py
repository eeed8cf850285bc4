"""Warnings about a training, before it begins."""

from collections.abc import Iterator

from service.workflow.data.schema import Column, Schema
from service.workflow.data.types.category import MOST_CATEGORIES
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.resolve import Resolved, about_numbers
from service.workflow.spec_base import shown

MANY_CLASSES = 30
NAMED = 3  # classes that a warning lists


def warnings(found: Resolved, schema: Schema) -> list[str]:
    """One sentence for each warning, with what can be done about it."""
    return [*_of_the_split(found), *_of_targets(found, schema), *_of_features(found, schema)]


def _of_the_split(found: Resolved) -> Iterator[str]:
    spec, rows = found.spec, found.rows
    if not rows["test"] and not rows["validation"]:
        yield "there is no test and no validation part: the metrics are those of the rows it learned from"
    if spec.split.group is not None:
        yield "whole groups go to one part: the rows of each part are about so many"
    if spec.training.max_seconds is not None:
        yield "with max_seconds the same spec need not give the same bits: it stops by the clock"


def _of_targets(found: Resolved, schema: Schema) -> Iterator[str]:
    targets = [column for name in found.spec.data.targets if (column := schema.column(name)) is not None]
    for column in targets:
        if column.missing:
            yield f"{column.missing} of {schema.rows} rows have no {shown(column.name)}; they are left out"
    if sum(column.missing > 0 for column in targets) > 1:
        yield "several targets are missing in some rows: the rows of each part are about so many"
    if found.signature.classifies:
        yield from _of_classes(targets[0])


def _of_classes(column: Column) -> Iterator[str]:
    name = shown(column.name)
    values, counts = column.target_values()
    if values is None or counts is None:
        return
    if numbers := about_numbers(column):
        yield f"{name} is taken for {len(values)} classes{numbers}"
    elif COLUMN_TYPES[column.type].numeric and len(values) > 2:
        yield f"the {len(values)} whole numbers of {name} are taken for classes; if it is a quantity, set data.task to regression"
    single = [value for value, count in zip(values, counts, strict=True) if count == 1]
    if single:
        named = ", ".join(map(shown, single[:NAMED])) + (", …" if len(single) > NAMED else "")
        what = f"{len(single)} of the classes of {name} have a single row ({named})"
        yield f"{what}, and so are in one part only: none is both learned and tested"
    if len(values) > MANY_CLASSES and 2 * len(values) > sum(counts) / 2:
        yield f"{name} has {len(values)} classes in {sum(counts)} rows: is it a name or a free text?"


def _of_features(found: Resolved, schema: Schema) -> Iterator[str]:
    for each in found.signature.inputs:
        column = schema.column(each.name)
        if COLUMN_TYPES[each.type].categorical and column is not None and _has_many(column):
            text = f"{each.name!r} has more than {MOST_CATEGORIES} different values, and only the most frequent are distinguished"
            yield f"{text}; leave it out of `features` if it only names the rows"
    if any(COLUMN_TYPES[each.type].categorical for each in found.signature.inputs):
        yield "the parameters are those of all categories in the data; training rows without some give fewer"


def _has_many(column: Column) -> bool:
    return column.values is None or len(column.values) > MOST_CATEGORIES
