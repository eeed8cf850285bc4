"""`GET /v1/service`: what the service says of itself, and to whom."""

from pathlib import Path
from typing import Any

import httpx

from service import __version__
from service.facts import facts_of
from service.settings import SECRETS, Settings
from tests.api.keyed import KeyedServer


def test_without_keys_everything_is_said(http: httpx.Client, line: dict[str, Any]) -> None:
    http.post("/v1/models/line/predictions", json={"instances": [0.5]}).raise_for_status()
    about = http.get("/v1/service").json()
    assert about["version"] == about["software"]["modelwright"] == __version__
    assert about["software"]["torch"] and about["software"]["python"]
    assert (about["keys_required"], about["key"], about["scopes"]) == (False, None, ["predict", "train", "admin"])
    inside = about["administration"]
    newest = inside["warm_models"][0]
    assert "line@1" in newest["versions"] and 0 < newest["bytes"] <= inside["warm_model_bytes"]
    assert inside["warm_model_count"] == len(inside["warm_models"])
    assert (inside["journal"], inside["store"], inside["settings"]["slots"]) == ("sqlite", "folder", 1)
    assert inside["uptime_seconds"] > 0


def test_keys_are_told_their_scopes_and_only_administrators_the_rest(keyed: KeyedServer) -> None:
    answers = {}
    for name in ("predict", "train", "admin"):
        with keyed.as_(name) as client:
            answers[name] = client.get("/v1/service").json()
    assert [answers[name]["scopes"][-1] for name in answers] == list(answers)
    assert [answers[name]["key"] for name in answers] == list(answers)
    assert [answers[name]["administration"] is None for name in answers] == [True, True, False]
    with keyed.http_client() as client:
        assert client.get("/v1/service").status_code == 401


def test_no_secret_path_or_address_is_a_fact(tmp_path: Path) -> None:
    hidden = "hidden-value-of-a-setting-for-this-test"
    settings = Settings.read(
        home=tmp_path / hidden,
        store_url=f"s3://{hidden}/{hidden}",
        database_url=f"postgresql://{hidden}:{hidden}@{hidden}/{hidden}",
        admin_key=hidden,
        webhook_secret=hidden,
        webhook_hosts=hidden,
    )
    facts = facts_of(settings)
    assert hidden not in repr(facts)
    assert (facts.journal, facts.store) == ("postgresql", "s3")
    assert not {*SECRETS, *(f"{each}_file" for each in SECRETS)} & facts.settings.keys()
