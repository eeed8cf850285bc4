"""The command `modelwright explain`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from service.cli.options import URL, AsJson, Model, Url, connect
from service.cli.predict import Instances, pairs, read_rows, scalar
from service.cli.printing import line, prediction_text, show
from service.model_reference import ModelReference

MOST_LISTED = 20  # inputs of a row

Features = Annotated[list[str] | None, typer.Argument(metavar="[FEATURE=VALUE]...", help="One row.")]
Label = Annotated[
    str | None, typer.Option("--class", help="The class whose probability is explained, in place of the predicted one.")
]
Target = Annotated[str | None, typer.Option(help="The only one of several targets or labels that is explained.")]


def explain(
    model: Model,
    features: Features = None,
    instances: Instances = None,
    label: Label = None,
    target: Target = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Explain predictions: what each input adds to an answer, compared with that to a typical row."""
    name, version = ModelReference.parse(model)
    if bool(features) == bool(instances):
        raise typer.BadParameter("give FEATURE=VALUE for each feature, or --instances")
    typed = {each: scalar(value) for each, value in pairs(features).items()} if features else {}
    rows = read_rows(instances) if instances else [typed]
    with connect(url) as client:
        found = client.explain(name, rows, label=label, target=target, version=version)
    if as_json:
        show(found)
        return
    line(f"typical row: {prediction_text(found.baseline['prediction'])}")
    for prediction, explained, added in zip(found.predictions, found.explained, found.attributions, strict=True):
        line(prediction_text(prediction))
        if isinstance(explained, list):
            for each in explained:
                _listed(f"adds to {each}", added[each])
        else:
            _listed(f"adds to {explained}", added)


def _listed(what: str, added: Mapping[str, Any]) -> None:
    """The inputs that add or take the most."""
    line(f"  {what}:")
    ordered = sorted(added.items(), key=lambda each: -abs(each[1] or 0.0))
    widest = max((len(name) for name, _ in ordered[:MOST_LISTED]), default=0)
    for name, value in ordered[:MOST_LISTED]:
        line(f"    {name:<{widest}}  {'not a number' if value is None else f'{value:+.4g}'}")
    if len(ordered) > MOST_LISTED:
        line(f"    … and {len(ordered) - MOST_LISTED} others")
