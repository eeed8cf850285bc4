"""The chart `data`: the target over each of the first features; of images and texts examples, and the rows of each class."""

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.look.axes import Axis, Chart, dates, names, numbers, of_few_numbers
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import PARTS, beyond, grid, scatter, stacked, title
from service.workflow.look.examples_chart import class_counts, groups, lengths, target_values
from service.workflow.look.text import text
from service.workflow.parts import PARTS as ALL_PARTS
from service.workflow.signature import Input


def data(of: ChartData) -> Chart:
    """The target over each of the first features, coloured by part. Where values have a shape also examples, the lengths of
    texts, and the rows of each class."""
    inputs = [each for each in of.signature.inputs if each.name in of.points.features]
    if of.points.examples is None:
        return _over_features(of, inputs)
    counts = target_values(of) if of.answers_numbers else class_counts(of)
    shown = [groups(of), *(lengths(of, name) for name in of.points.lengths), counts]
    if inputs:
        shown.append(_over_features(of, inputs))
    return stacked([each for each in shown if each is not None])


def _over_features(of: ChartData, inputs: list[Input]) -> Chart:
    target = _target(of)
    across = [_feature(of, each) for each in inputs]
    small = len(inputs) > 1
    charts = [scatter(axis, target, PARTS, of.points.part, small=small) for axis in across]
    total = sum(not COLUMN_TYPES[each.type].shaped for each in of.signature.inputs)
    first = total > len(inputs)
    over = f"the first {len(inputs)} of {total:,} features" if first else "each feature"
    about = title(
        f"Data: {target.title} over {over if small else across[0].title}",
        of.told_rows(ALL_PARTS),
        beyond(target, *across),
    )
    return grid(charts, about) if small else charts[0].properties(title=about)


def _target(of: ChartData) -> Axis:
    name, truth = of.name(of.targets[0]), of.points.truth
    if of.answers_numbers:
        return of_few_numbers(name, truth) or numbers(name, truth)
    return names(name, truth, of.signature.outputs[0].classes or ())


def _feature(of: ChartData, each: Input) -> Axis:
    values, name = of.points.features[each.name], text(each.name)
    match COLUMN_TYPES[each.type].chart_type:
        case "Q":
            return of_few_numbers(name, values) or numbers(name, values)
        case "T":
            return dates(name, values)
        case _:
            return names(name, values)
