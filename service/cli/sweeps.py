"""The commands `modelwright sweeps`."""

from typing import Annotated, Any

import typer
from rich.console import Console

from service.cli.failures import INTERRUPTED, CommandFailed
from service.cli.options import URL, AsJson, Url, connect
from service.cli.printing import cell, console, done, facts, line, show, table
from service.cli.training_source import apply, parse_setting, read_spec

sweeps = typer.Typer(help="Sweeps: searches over the settings of a training.", no_args_is_help=True)

SweepId = Annotated[str, typer.Argument(metavar="SWEEP", help="The id of a sweep.")]
Source = Annotated[
    str,
    typer.Argument(
        metavar="TABLE|SPEC.json|-", help='A table, or a training spec, which may have "search"; - is stdin.'
    ),
]
Target = Annotated[
    list[str] | None, typer.Option(metavar="COLUMN", help="The column to predict in a table; may be repeated.")
]
ModelName = Annotated[str | None, typer.Option("--name", help="Name of the model.")]
Search = Annotated[
    list[str] | None,
    typer.Option(
        "--search",
        metavar="PATH=VALUES",
        help='A field to search, such as optimizer.lr={"log":[1e-4,1e-1]}; log, uniform, int or choice. May be repeated.',
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Sets a value of the spec or of the search, such as trials=50 or method=random. May be repeated.",
    ),
]
Detach = Annotated[
    bool, typer.Option("--detach/--wait", "-d", help="Print the sweep's id and do not wait for its end.")
]
Status = Annotated[
    str | None, typer.Option(help="Only those in this state: running, paused, succeeded, failed, cancelled.")
]
OfModel = Annotated[str | None, typer.Option(help="Only those of this model.")]
ABOUT = ["id", "status", "requested", "model_name", "created_at", "finished_at", "trials_by_status", "result", "error"]


@sweeps.command()
def start(
    source: Source,
    target: Target = None,
    name: ModelName = None,
    search: Search = None,
    settings: Set = None,
    detach: Detach = False,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Search the settings of a training, `modelwright sweeps start houses.csv --target price --search …`."""
    changes = [parse_setting(setting) for setting in settings or []]
    spec = read_spec(source)
    if spec is None and not target:
        raise typer.BadParameter("which column of the table shall be predicted?", param_hint="--target")
    parts = apply(spec or {}, changes)
    searched = parts.pop("search", {}) | {".".join(keys): values for keys, values in map(parse_setting, search or [])}
    with connect(url) as client:
        data: Any = parts if spec is not None else source
        given = None if target is None else target[0] if len(target) == 1 else target
        more = {} if spec is not None else parts
        sweep = client.search(data, searched, None if spec is not None else given, model_name=name, **more)
        if detach:
            done(sweep.id, sweep, as_json)
            return
        _attend(sweep, as_json)


@sweeps.command("list")
def list_sweeps(status: Status = None, model_name: OfModel = None, as_json: AsJson = False, url: Url = URL) -> None:
    """List the sweeps, newest first."""
    with connect(url) as client:
        columns = ["id", "model_name", "status", "trials_by_status", "created_at", "finished_at"]
        table(client.sweeps(status, model_name), columns, as_json)


@sweeps.command("show")
def show_sweep(sweep: SweepId, as_json: AsJson = False, url: Url = URL) -> None:
    """Show a sweep and its trials."""
    with connect(url) as client:
        found = client.sweep(sweep)
    facts(found, ABOUT, as_json)
    if not as_json:
        _print_trials(found)


@sweeps.command()
def watch(sweep: SweepId, as_json: AsJson = False, url: Url = URL) -> None:
    """Wait until a sweep has ended, and show its trials; exit status 1 if it ends without a model."""
    with connect(url) as client:
        _attend(client.sweep(sweep), as_json)


@sweeps.command()
def cancel(sweep: SweepId, as_json: AsJson = False, url: Url = URL) -> None:
    """Cancel a sweep and its trials."""
    with connect(url) as client:
        _changed(client.sweep(sweep).cancel(), as_json)


@sweeps.command()
def pause(sweep: SweepId, as_json: AsJson = False, url: Url = URL) -> None:
    """Pause a sweep: its trials save a checkpoint and free their slots."""
    with connect(url) as client:
        _changed(client.sweep(sweep).pause(), as_json)


@sweeps.command()
def resume(sweep: SweepId, as_json: AsJson = False, url: Url = URL) -> None:
    """Resume a paused sweep."""
    with connect(url) as client:
        _changed(client.sweep(sweep).resume(), as_json)


def _attend(sweep: Any, as_json: bool) -> None:
    """Waits for the end of a sweep, and shows what has come of it."""
    from modelwright import SweepFailed

    try:
        sweep.wait()
    except KeyboardInterrupt:
        said = f"\nThe sweep goes on in the service. Watch it:  modelwright sweeps watch {sweep.id}\n"
        Console(stderr=True).print(f"{said}Cancel it:  modelwright sweeps cancel {sweep.id}", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    except SweepFailed as error:
        raise CommandFailed(str(error)) from None
    if as_json:
        show(sweep)
        return
    _print_trials(sweep)
    best = f"The best is trial {sweep.best.number}: {cell(sweep.best.settings)}"
    console.print(f"\n{best}\n{sweep.result.model_name}@{sweep.result.version}", markup=False, highlight=False)


def _print_trials(sweep: Any) -> None:
    rows = ({**each, "why": (each["error"] or {}).get("code")} for each in sweep["trials"])
    table(rows, ["number", "status", "objective", "values", "version", "job_id", "why"], as_json=False)


def _changed(sweep: Any, as_json: bool) -> None:
    if not as_json:
        line(f"Sweep {sweep.id} is {sweep.status}.")
        return
    show(sweep)
