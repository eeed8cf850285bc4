"""Tables of public packages, uploaded unchanged: the column types are those a person expects, and a spec that names only the
target learns. TABLES sets how many; scripts/nightly uses all, scripts/test none."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from service.workflow.tasks import Task
from tests.harness.server import Server
from tests.public_tables.packages import REQUIREMENTS
from tests.public_tables.tables import TABLES, Table

R2_GAINED = 0.05  # over the baseline's, which is about 0
LOG_LOSS_LEFT = 0.98  # of the baseline's

each_table = pytest.mark.parametrize(
    "table", TABLES[: int(os.environ.get("TABLES", "0"))], ids=lambda table: table.name
)


def uploaded(server: Server, folder: Path, table: Table) -> dict[str, Any]:
    """The service's description of the uploaded file."""
    content, headers = (folder / table.path).read_bytes(), {"Content-Type": table.media_type}
    put = server.http.put(f"/v1/datasets/{table.name}", content=content, headers=headers)
    assert put.is_success, put.text
    dataset: dict[str, Any] = put.json()
    return dataset


@each_table
def test_column_types_are_those_a_person_expects(server: Server, folder: Path, table: Table) -> None:
    dataset = uploaded(server, folder, table)
    columns = {column["name"]: column for column in dataset["columns"]}
    assert {name: columns.get(name, {}).get("type") for name in table.types} == table.types, list(columns)
    assert {name: columns[name]["missing"] for name in table.missing} == table.missing
    assert dataset["rows"] == table.rows


@each_table
def test_its_target_is_learned(server: Server, folder: Path, table: Table) -> None:
    uploaded(server, folder, table)
    data = {"kind": "dataset", "dataset": table.name, "target": table.target}
    server.client.wait(server.client.train({"model_name": table.name, "data": data})["id"])
    manifest = server.client.manifest(table.name, 1)
    assert manifest["signature"]["task"] == table.task
    assert not set(table.counters) & {feature["name"] for feature in manifest["signature"]["inputs"]}
    test, baseline = manifest["metrics"]["test"], manifest["metrics"]["baseline"]
    if table.task == Task.REGRESSION:
        assert test["r2"] > baseline["r2"] + R2_GAINED
    else:
        assert test["log_loss"] < baseline["log_loss"] * LOG_LOSS_LEFT


def test_there_are_25_of_pinned_packages() -> None:
    assert len({table.name for table in TABLES}) == 25
    pinned = re.findall(r"^([\w-]+)==[\w.]+ #", REQUIREMENTS.read_text(), re.MULTILINE)
    assert {table.path.split("/")[0].lower() for table in TABLES} == {name.replace("-", "_") for name in pinned}
