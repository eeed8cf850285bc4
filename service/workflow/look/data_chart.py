"""The chart `data`: the target over each of the first features."""

from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.look.axes import Axis, Chart, dates, names, numbers, of_few_numbers
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import PARTS, beyond, grid, scatter, title
from service.workflow.look.text import text
from service.workflow.parts import PARTS as ALL_PARTS
from service.workflow.signature import Input


def data(of: ChartData) -> Chart:
    """The target over each of the first features, coloured by part."""
    inputs = [each for each in of.signature.inputs if each.name in of.points.features]
    target = _target(of)
    across = [_feature(of, each) for each in inputs]
    small = len(inputs) > 1
    charts = [scatter(axis, target, PARTS, of.points.part, small=small) for axis in across]
    first = len(of.signature.inputs) > len(inputs)
    over = f"the first {len(inputs)} of {len(of.signature.inputs):,} features" if first else "each feature"
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
