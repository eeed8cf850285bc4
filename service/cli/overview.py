"""The commands about the service as a whole: its health, its page, its metrics and its audit log."""

import webbrowser
from typing import Annotated, Any

import typer

from service.cli.calls import answer, pages
from service.cli.options import URL, AsJson, Url, connect
from service.cli.printing import cell, console, done, facts, table

ABOUT = ["version", "python", "torch", "system", "processors", "scopes", "workers", "journal", "store", "started_at"]
ABOUT += ["models in memory", "bytes in memory"]
After = Annotated[str | None, typer.Option(metavar="ID", help="Only the lines after this one.")]


def health(as_json: AsJson = False, url: Url = URL) -> None:
    """Say whether the service runs and can predict, and its version; exit status 1 if it cannot predict."""
    from modelwright import ApiError
    from modelwright.steps import Call

    about: dict[str, Any] = {"url": url, "live": True, "ready": True, "version": None}
    with connect(url) as client:
        answer(client, Call("GET", "/livez"))
        try:
            answer(client, Call("GET", "/readyz"))
        except ApiError:
            about["ready"] = False
        try:
            about["version"] = answer(client, Call("GET", "/v2")).json()["version"]
        except ApiError as error:
            if error.status not in (401, 403):  # without a key it tells no version
                raise
    version = f", version {about['version']}" if about["version"] else ""
    text = "is ready" if about["ready"] else "runs, and is not ready to predict: it starts or stops"
    done(f"The service at {url} {text}{version}.", about, as_json)
    if not about["ready"]:
        raise typer.Exit(1)


def about(as_json: AsJson = False, url: Url = URL) -> None:
    """Show the versions of the service and its libraries, what your key may do, and to administrators what is in memory."""
    with connect(url) as client:
        found: dict[str, Any] = client.service()
    shown = {**found, **found["software"], **(found["administration"] or {})}
    shown |= {"models in memory": shown.get("warm_model_count"), "bytes in memory": shown.get("warm_model_bytes")}
    facts(found if as_json else shown, ABOUT, as_json)


def metrics(url: Url = URL) -> None:
    """Print the metrics of the service in the format of Prometheus."""
    from modelwright.steps import Call

    with connect(url) as client:
        text = answer(client, Call("GET", "/metrics")).text
    console.print(text, end="", markup=False, highlight=False, soft_wrap=True)


def audit(after: After = None, as_json: AsJson = False, url: Url = URL) -> None:
    """List the audit log, the oldest line first: who has changed what."""
    with connect(url) as client:
        found = pages(client, "audit", key="id", **({} if after is None else {"after": after}))
        rows = found if as_json else ({**each, "changes": _changes(each)} for each in found)
        table(rows, ["id", "at", "who", "method", "path", "status", "changes"], as_json)


def _changes(of: dict[str, Any]) -> str:
    return ", ".join(f"{each['what']} {cell(each['on'])}" for each in of.get("changes") or ())


def open_page(as_json: AsJson = False, url: Url = URL) -> None:
    """Open the service's page in the browser; print its address where there is no browser."""
    from modelwright.steps import Call

    with connect(url) as client:
        answer(client, Call("GET", "/livez"))  # an error here says more than the browser's
    page = url.rstrip("/") + "/"
    try:
        opened = webbrowser.open(page)
    except webbrowser.Error:
        opened = False
    done(
        f"Opened {page}" if opened else f"No browser was found. The page: {page}",
        {"url": page, "opened": opened},
        as_json,
    )
