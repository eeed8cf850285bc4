"""The chart `filters`: the filters of the first convolution."""

from service.workflow.errors import NotAvailable
from service.workflow.look.axes import Chart
from service.workflow.look.chart_data import ChartData
from service.workflow.look.drawing import title
from service.workflow.look.tiles import Tile, layer

TILE, GAP, ACROSS = 56, 10, 8  # pixels of a filter and between two, and filters in a line


def filters(of: ChartData) -> Chart:
    """The filters of the first convolution as pictures.

    Raises:
        NotAvailable: the model has no convolution over height and width.
    """
    found = of.points.filters
    if not found:
        raise NotAvailable("there are no filters: the model has no convolution over height and width")
    tiles = [Tile(each, at % ACROSS * (TILE + GAP), at // ACROSS * (TILE + GAP), TILE) for at, each in enumerate(found)]
    lines, across = -(-len(found) // ACROSS), min(len(found), ACROSS)
    shape = f"{found[0].height} × {found[0].width}"
    what = (
        f"{len(found)} filter{'s' if len(found) > 1 else ''} of {shape}"
        if len(found) < 64
        else f"the first 64 of {shape}"
    )
    note = "mid-grey is 0; the largest weight of all is black or white"
    if found[0].channels == 3:
        note = "mid-grey is 0; red, green and blue are the weights of the three channels"
    drawn = layer(tiles, [], max(across * (TILE + GAP), 320), lines * (TILE + GAP))
    return drawn.properties(title=title("Filters of the first convolution", what, note))
