"""Draws `train.svg`: what `modelwright train` prints on a terminal for the table of the examples."""

import fcntl
import io
import os
import pty
import struct
import sys
import tempfile
import termios
from contextlib import ExitStack
from pathlib import Path

from draw import HERE, PAPER, TERMINAL, THEME
from rich.console import Console
from rich.text import Text

from service.cli.demo import Service

COLUMNS, LINES = 128, 50
COMMAND = ["train", "examples/iris.csv", "--target", "species"]
ERASE = "\r\x1b[2K"  # what a moving bar begins each of its frames with


def main() -> None:
    """Runs the command on a service of its own, and writes the picture."""
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, color_system="standard")
    console.print(f"[bold]$ modelwright {' '.join(COMMAND)}[/]", highlight=False)
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        service = Service(folder / "home", folder / "service.log")
        cleanup.callback(service.end)
        service.client().close()
        lines = on_a_terminal(service.address).splitlines()
        for line in lines:
            console.print(Text.from_ansi(line), soft_wrap=True)
    terminal = console.export_svg(theme=THEME, code_format=TERMINAL, unique_id="terminal") % 0.8
    (HERE / "train.svg").write_text(framed(terminal, len(lines) + 1))


def on_a_terminal(address: str) -> str:
    """The output of the command on a terminal: of a line that was drawn again and again, its last state."""
    pid, terminal = pty.fork()
    if pid == 0:
        environment = os.environ | {"MODELWRIGHT_URL": address, "NO_PROXY": "*", "TERM": "xterm-256color"}
        environment |= {"COLUMNS": str(COLUMNS)}
        os.execve(sys.executable, [sys.executable, "-m", "service", *COMMAND], environment)  # noqa: S606 - our own
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    output = b""
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # it has ended
            break
        output += piece
    os.waitpid(pid, 0)
    lines = output.decode().replace("\x1b[?25l", "").replace("\x1b[?25h", "").replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition(ERASE)[2].replace("\r", "") for line in lines)


def framed(terminal: str, lines: int) -> str:
    """The terminal on its paper."""
    width, height = round(COLUMNS * 12.2 * 0.8) + 40, round(lines * 24.4 * 0.8) + 40
    paper = "#{:02x}{:02x}{:02x}".format(*PAPER)
    frame = f'<rect width="{width}" height="{height}" rx="8" fill="{paper}" stroke="#d0d7de"/>'
    box = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>\n{frame}\n{terminal}\n</svg>\n'


if __name__ == "__main__":
    main()
