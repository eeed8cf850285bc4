"""The documentation names everything that exists, and nothing that does not."""

import re
from pathlib import Path
from typing import get_args

import pytest

from docs.api_reference import PAGE, page
from service.api.problems import TABLE
from service.app import create_app
from service.jobs.job import MOVES
from service.settings import Settings
from service.startup import start_up
from service.workflow import losses, optimizers, schedulers
from service.workflow.data.dataset import DatasetData
from service.workflow.data.formats import FORMATS
from service.workflow.data.line import LineData
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.rows import RowsData
from service.workflow.models import KINDS, layers
from service.workflow.models.mlp import Activation
from service.workflow.preprocessing import PreprocessingSpec
from service.workflow.spec import TrainingSpec
from service.workflow.spec_base import SpecBase
from service.workflow.split import SplitSpec
from service.workflow.tasks import Task
from service.workflow.training import EMA, EarlyStopping, TrainingSettings
from service.workflow.webhook import WebhookSpec
from tests.docs.pages import PAGES, ROOT, name, prose

README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)\s]+)\)")
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(re.findall(r"^\| `(MODELWRIGHT_\w+)` \| (.+? \| .+?) \|$", SETTINGS, re.MULTILINE))
    truth = {}
    for field, about in Settings.model_fields.items():
        default = "not set" if about.default is None else f"`{about.default}`"
        if field == "slots":
            default = "processors - 1"
        truth[f"MODELWRIGHT_{field.upper()}"] = f"{default} | {about.description}"
    assert documented == truth


def test_every_route_is_in_the_docs(tmp_path: Path) -> None:
    documented = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", (DOCS / "http-api.md").read_text(), re.MULTILINE))
    paths = create_app(start_up(Settings(home=tmp_path))).framework.openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert documented == routes | {"GET /"}


def test_the_reference_of_the_api_is_of_today() -> None:
    assert PAGE.read_text() == page(), "scripts/api-reference writes it again"


def test_every_format_of_a_data_set_is_in_the_docs() -> None:
    documented = set(re.findall(r"`([a-z.]+/[a-z.-]+)`", (DOCS / "http-api.md").read_text()))
    assert set(FORMATS) - documented == set()


def test_every_reading_option_is_in_the_docs() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "http-api.md").read_text(), re.MULTILINE)
    assert set(ReadingOptions.model_fields) - set(rows) == set()


def test_every_code_of_a_problem_is_in_the_docs() -> None:
    documented = set(re.findall(r"`([a-z_]+)`", (DOCS / "http-api.md").read_text()))
    assert {code for _, code in TABLE.values()} - documented == set()


def test_the_diagram_of_job_states_matches_the_code() -> None:
    picture = (DOCS / "architecture.md").read_text().partition("stateDiagram-v2")[2].partition("```")[0]
    drawn = re.findall(r"^ +(\w+) --> (\w+)", picture, re.MULTILINE)
    assert sorted(drawn) == sorted((status.value, to.value) for status, onward in MOVES.items() for to in onward)


def test_every_name_a_spec_may_use_is_in_the_docs() -> None:
    documented = set(re.findall(r"`(\w+)`", (DOCS / "spec.md").read_text()))
    families = {*losses.ROLES, *optimizers.NAMES, *schedulers.NAMES, *schedulers.NESTING, *layers.NAMES, *KINDS}
    parts: list[type[SpecBase]] = [
        TrainingSpec,
        LineData,
        RowsData,
        DatasetData,
        SplitSpec,
        PreprocessingSpec,
        *KINDS.values(),
    ]
    parts += [TrainingSettings, EarlyStopping, EMA, WebhookSpec]
    fields = {field for part in parts for field in part.model_fields}
    assert (families | fields | set(Task) | set(get_args(Activation))) - documented == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in LINK.findall(prose(page)):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists():
                waiting.append(target)
            if target == DOCS / "decisions":
                waiting.extend(DECISIONS)
    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_decisions_are_half_a_page_of_context_decision_consequences(page: Path) -> None:
    text = page.read_text()
    number = page.name[:4]
    assert re.match(rf"# {number}: [A-Z].+\n\nDate: \d{{4}}-\d\d-\d\d\n\n## Context\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text) < 3500


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_glossary_is_in_order() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert words == sorted(words)


def test_the_tree_in_the_readme_matches_the_folders() -> None:
    tree = README.split("## Where things are")[1].split("```")[1]
    folder = ROOT
    for line in tree.strip().splitlines():
        names = re.findall(r"(?:^|\s{2,})([a-z_]+(?:/|\.py))(?=\s)", line)
        assert names, line
        folder = ROOT / "service" if line.startswith("  ") else ROOT
        assert all((folder / each).exists() for each in names), line
    rooms = [path for path in (ROOT / "service").iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    assert all(f"{path.name}/" in tree for path in rooms)


def test_pictures_are_small() -> None:
    pictures = [path for path in (DOCS / "pictures").iterdir() if path.suffix in (".png", ".svg")]
    assert pictures
    assert all(path.stat().st_size <= 150_000 for path in pictures)
