"""A service whose models are in a bucket, while the bucket's server is there and while it is away."""

from pathlib import Path
from typing import Any

import httpx

from tests.api.conftest import train
from tests.harness.object_servers import SECRET, MiniStack
from tests.harness.server import Server
from tests.harness.until import until

MOST_SECONDS = 30.0  # for an answer while the store is away: a request is repeated for six, and each try may take three


def predict(http: httpx.Client) -> tuple[int, Any]:
    answer = http.post("/v1/models/line/predictions", json={"instances": [[0.5]]}, timeout=MOST_SECONDS)
    return answer.status_code, answer.json()


def promote(http: httpx.Client) -> httpx.Response:
    return http.put("/v1/models/line/aliases/production", json={"version": 1}, timeout=MOST_SECONDS)


def test_a_service_predicts_while_its_bucket_is_away_and_changes_it_again_afterwards(tmp_path: Path) -> None:
    with MiniStack(tmp_path / "ministack") as objects:
        url = f"s3://{objects.bucket()}/models"
        with Server(tmp_path / "home", store_url=url, slots=1, environment=objects.variables()) as server:
            http = server.http
            train(http, "line", training={"epochs": 1})
            before = predict(http)
            assert before[0] == 200
            objects.stop()
            assert [predict(http) for _ in range(20)] == [before] * 20
            for refused in (promote(http), http.get("/v1/models/line/versions/1/parameters", timeout=MOST_SECONDS)):
                assert (refused.status_code, refused.json()["code"]) == (503, "unavailable"), refused.text
                assert "object store" in refused.json()["detail"]
                assert SECRET not in refused.text and objects.address not in refused.text
            assert predict(http) == before
            objects.start()
            until(lambda: promote(http).status_code == 200)
            assert http.get("/v1/models/line/versions/1/parameters").status_code == 200
            assert not (server.home / "store").exists()
            for pid in server.children():
                assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
            told = [http.get("/metrics").text, http.get("/v1/audit").text, server.log()]
            told += [path.read_text() for path in (server.home / "audit").iterdir() if path.suffix == ".jsonl"]
            assert all(text and SECRET not in text for text in told)
            assert server.stop() == 0
