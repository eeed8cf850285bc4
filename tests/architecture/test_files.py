"""Rules that import-linter does not check; its contracts are checked by scripts/check."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 400


def test_files_have_at_most_400_lines() -> None:
    lines = {}
    for folder in ("service", "model_store", "modelwright", "tests", "scripts"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", "") and path.is_file() and "__pycache__" not in path.parts:
                lines[str(path.relative_to(ROOT))] = len(path.read_text().splitlines())
    assert len(lines) > 50
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}
