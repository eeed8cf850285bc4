"""What can be said of the container's recipe without an engine; scripts/image-check proves the rest with one."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
COMPOSE = (ROOT / "docker-compose.yml").read_text()
FINAL = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def test_everything_that_is_copied_is_let_through() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name for names in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in names.split()
    }
    assert copied == allowed
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"]} <= copied


def test_nothing_is_installed_in_the_final_stage() -> None:
    assert "install " not in FINAL.replace("install --directory", "")
    assert FINAL.index("USER 10001:10001") < FINAL.index("ENTRYPOINT")


@pytest.mark.parametrize("instruction", ["ENTRYPOINT", "CMD"])
def test_exec_form(instruction: str) -> None:
    found = re.search(rf"^{instruction} (.+)$", FINAL, re.MULTILINE)
    assert found is not None
    assert isinstance(json.loads(found[1]), list)


def test_compose_and_image_check_health_alike() -> None:
    in_image = re.search(r"HEALTHCHECK .*?CMD (\[.+\])", FINAL)
    in_compose = re.search(r"test: (\[.+\])", COMPOSE)
    assert in_image is not None
    assert in_compose is not None
    assert ["CMD", *json.loads(in_image[1])] == json.loads(in_compose[1])


def test_compose_publishes_on_the_loopback_only() -> None:
    ports = re.findall(r'^\s+- "(\S+:8000)"$', COMPOSE, re.MULTILINE)
    assert ports == ["127.0.0.1:8000:8000"]


def test_compose_takes_every_setting_and_the_bounds_of_the_container_from_outside() -> None:
    assert "env_file:\n      - path: modelwright.env\n        required: false" in COMPOSE
    assert re.findall(r"^    (mem_limit|cpus): \$\{\w+:-\S+\}$", COMPOSE, re.MULTILINE) == ["mem_limit", "cpus"]


def test_the_image_asks_for_a_key_and_makes_the_first_one() -> None:
    assert re.search(r"ENV .*MODELWRIGHT_FIRST_KEY=true\b", FINAL)
    assert "MODELWRIGHT_INSECURE" not in DOCKERFILE + COMPOSE
    # Without a value: what is not set stays away, and what is set to nothing is refused by the service.
    assert re.search(r"^      MODELWRIGHT_ADMIN_KEY: #", COMPOSE, re.MULTILINE)


@pytest.mark.parametrize(
    "script",
    sorted(each for each in (ROOT / "scripts").iterdir() if each.is_file()),
    ids=lambda script: str(script.name),
)
def test_scripts_can_be_read_and_run(script: Path) -> None:
    assert bool(script.stat().st_mode & 0o111) == (script.suffix == "")  # a part that others source is not run
    subprocess.run(["bash", "-n", str(script)], check=True)  # noqa: S603, S607 - our own script
