"""Draws `demo.svg`: what the demo prints for the straight line, beside the two plots that the service drew of it; and
`plots.svg`: three plots of its table."""

import io
import os
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from modelwright import Client
from service.cli.demo import Service, show_iris, show_line

HERE = Path(__file__).resolve().parent
COLUMNS, PLOTS_X, GAP, SCALE = 66, 680, 24, 0.8
INK, PAPER = (36, 41, 47), (250, 250, 250)
COLOURS = [INK, (207, 34, 46), (17, 99, 41), (77, 45, 0), (9, 105, 218), (130, 80, 223), (27, 124, 131), (87, 96, 106)]
THEME = TerminalTheme(PAPER, INK, COLOURS)
TERMINAL = """<g transform="translate(20, 16) scale(%s)" font-family="monospace">
<style>
.{unique_id}-matrix {{ font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g>
</g>"""


def main() -> None:
    """Runs the first part of the demo and writes the picture."""
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, color_system="standard")
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        os.chdir(folder)
        output = Path("demo-output")
        output.mkdir()
        service = Service(folder / "home", folder / "service.log")
        cleanup.callback(service.end)
        console.print("[bold]$ scripts/demo[/]", highlight=False)
        with service.client() as client:
            console.print("The service runs at http://127.0.0.1:8000", highlight=False)
            result = show_line(console, client, output)
            of_line = [_plot(client, result, plot) for plot in ("predictions", "learning_curve")]
            result = show_iris(Console(file=io.StringIO()), client, output)
            of_iris = [_plot(client, result, plot) for plot in ("data", "confusion", "precision_recall")]
    terminal = console.export_svg(theme=THEME, code_format=TERMINAL, unique_id="terminal")
    (HERE / "demo.svg").write_text(below_one_another(terminal, of_line))
    (HERE / "plots.svg").write_text(beside_one_another(of_iris))


def _plot(client: Client, result: dict[str, Any], plot: str) -> str:
    return client.plot(result["model_name"], result["version"], plot, "svg").decode()


def below_one_another(terminal: str, plots: list[str]) -> str:
    """The terminal on the left, the plots below one another on the right."""
    parts, y = [re.sub(r' clip-path="[^"]*"', "", terminal % SCALE)], GAP
    for number, plot in enumerate(plots):
        placed, _, height = _placed(plot, number, PLOTS_X, y)
        parts.append(placed)
        y += height + GAP
    return _framed(parts, PLOTS_X + 650, y)


def beside_one_another(plots: list[str]) -> str:
    """The plots in a row."""
    parts, x, most = [], GAP, 0
    for number, plot in enumerate(plots):
        placed, width, height = _placed(plot, number, x, GAP)
        parts.append(placed)
        x, most = x + width + GAP, max(most, height)
    return _framed(parts, x, most + 2 * GAP)


def _placed(plot: str, number: int, x: int, y: int) -> tuple[str, int, int]:
    """A plot at a place of a larger picture, its width and its height."""
    body = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>", "", plot).strip()
    body = re.sub(r'(id="|url\(#)(clip|gradient)', rf"\g<1>plot{number}-\g<2>", body)
    body = re.sub(r' (aria-[a-z]+|role)="[^"]*"', "", body)  # of each point; the pages describe the whole picture
    width, height = (
        round(float(re.search(rf'<svg[^>]* {side}="([\d.]+)"', body)[1]))  # type: ignore[index]
        for side in ("width", "height")
    )
    return re.sub(r"<svg ", f'<svg x="{x}" y="{y}" ', body, count=1), width, height


def _framed(parts: list[str], width: int, height: int) -> str:
    frame = f'<rect width="{width}" height="{height}" rx="8" fill="#fafafa" stroke="#d0d7de"/>'
    box = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n{frame}\n' + "\n".join(parts) + "\n</svg>\n"


if __name__ == "__main__":
    main()
