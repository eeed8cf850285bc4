"""Both clients against a real server: the requests they send, and what they return."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from operator import methodcaller
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from modelwright import (
    ApiError,
    AsyncClient,
    Client,
    JobFailed,
    UnexpectedAnswer,
    Unreachable,
    UnusableName,
)
from service.workflow.data.formats import PARQUET
from service.workflow.data.sniff import SUFFIXES
from tests.client.conftest import Request, Service

BYTES = "application/octet-stream"
Run = Callable[[Service, Callable[[Any], Any]], Any]


def waiting(service: Service, use: Callable[[Any], Any]) -> Any:
    with Client(service.url, api_key="secret") as client:
        result = use(client)
        return list(result) if isinstance(result, Iterator) else result


def awaiting(service: Service, use: Callable[[Any], Any]) -> Any:
    async def run() -> Any:
        async with AsyncClient(service.url, api_key="secret") as client:
            result: Awaitable[Any] | AsyncIterator[Any] = use(client)
            if isinstance(result, AsyncIterator):
                return [item async for item in result]
            return await result

    return asyncio.run(run())


@pytest.fixture(params=[waiting, awaiting])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


def gives(body: Any, status: int = 200) -> Callable[[Request], None]:
    return lambda request: request.answer_json(status, body)


def job(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "j1", "status": status, "error": None, **more}


def event(number: int, kind: str = "metrics", **data: Any) -> bytes:
    body = json.dumps({"id": number, "type": kind, "data": data})
    return f"id: {number}\nevent: {kind}\ndata: {body}\n\n".encode()


def test_a_spec_is_posted_with_its_key(service: Service, run: Run) -> None:
    service.answers = [gives(job("queued"), 202)]
    assert run(service, lambda client: client.train({"model_name": "line"}, idempotency_key="k1")) == job("queued")
    [request] = service.requests
    assert (request.command, request.path) == ("POST", "/v1/training-jobs")
    assert json.loads(request.body) == {"model_name": "line"}
    assert request.headers["Idempotency-Key"] == "k1"
    assert request.headers["Authorization"] == "Bearer secret"


def test_a_problem_becomes_an_error_with_its_pointers(service: Service, run: Run) -> None:
    problem = {
        "type": "about:blank",
        "title": "Unprocessable",
        "status": 422,
        "code": "invalid_spec",
        "detail": "The spec has 1 fault.",
        "errors": [{"pointer": "/optimizer/lr", "message": "must be positive"}],
    }
    service.answers = [gives(problem, 422)]
    with pytest.raises(ApiError) as caught:
        run(service, lambda client: client.validate({}))
    assert (caught.value.status, caught.value.code) == (422, "invalid_spec")
    assert caught.value.errors == [("/optimizer/lr", "must be positive")]
    assert str(caught.value) == "The spec has 1 fault.\n  /optimizer/lr: must be positive"


def test_an_error_that_is_no_problem_document(service: Service, run: Run) -> None:
    service.answers = [lambda request: request.answer(502, b"<html>", "text/html")]
    with pytest.raises(ApiError) as caught:
        run(service, lambda client: client.model("line"))
    assert (caught.value.status, caught.value.code, caught.value.detail) == (502, "", "502 Bad Gateway")


def test_an_answer_of_another_server(service: Service, run: Run) -> None:
    service.answers = [lambda request: request.answer(200, b"<html>", "text/html")]
    with pytest.raises(UnexpectedAnswer):
        run(service, lambda client: client.model("line"))


def test_names_are_quoted(service: Service, run: Run) -> None:
    service.answers = [gives({})]
    run(service, lambda client: client.manifest("a/b c?#%ü", "x&y"))
    assert service.requests[0].path == "/v1/models/a%2Fb%20c%3F%23%25%C3%BC/versions/x%26y"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_names_that_would_change_the_address(service: Service, run: Run, name: str) -> None:
    with pytest.raises(UnusableName):
        run(service, lambda client: client.model(name))
    assert service.requests == []


def test_all_pages_of_a_list(service: Service, run: Run) -> None:
    pages = [{"data": [{"id": "c"}, {"id": "b"}], "has_more": True}, {"data": [{"id": "a"}], "has_more": False}]
    service.answers = [gives(page) for page in pages]
    found = run(service, lambda client: client.jobs(status="failed"))
    assert [entry["id"] for entry in found] == ["c", "b", "a"]
    assert [request.path for request in service.requests] == [
        "/v1/training-jobs?status=failed&limit=100",
        "/v1/training-jobs?status=failed&limit=100&after=b",
    ]


def test_waiting_for_a_job(service: Service, run: Run) -> None:
    service.answers = [gives(job("running")), gives(job("succeeded"))]
    assert run(service, lambda client: client.wait("j1"))["status"] == "succeeded"
    assert [request.path for request in service.requests] == ["/v1/training-jobs/j1?wait=30"] * 2


def test_a_job_that_failed(service: Service, run: Run) -> None:
    error = {"code": "training_diverged", "detail": "The loss is NaN in epoch 3."}
    service.answers = [gives(job("failed", error=error))]
    with pytest.raises(JobFailed, match=r"j1 failed: The loss is NaN in epoch 3. \(training_diverged\)"):
        run(service, lambda client: client.wait("j1"))


def test_events_resume_after_a_broken_connection(service: Service, run: Run) -> None:
    def cut_off(request: Request) -> None:
        request.begin_events()
        request.wfile.write(b"retry: 10\n\n" + event(1, epoch=1) + event(2, epoch=2)[:-5])

    def go_on(request: Request) -> None:
        request.begin_events()
        request.wfile.write(event(2, epoch=2) + event(3, "status", status="succeeded") + event(4, epoch=9))

    service.answers = [cut_off, gives({"code": "unavailable"}, 503), go_on]
    assert [entry["id"] for entry in run(service, lambda client: client.events("j1"))] == [1, 2, 3]
    assert [request.headers["Last-Event-ID"] for request in service.requests] == [None, "1", "1"]


def test_a_refused_event_stream_is_retried(service: Service, run: Run) -> None:
    def busy(request: Request) -> None:
        request.send_response(429)
        request.send_header("Retry-After", "0")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def go_on(request: Request) -> None:
        request.begin_events()
        request.wfile.write(b"retry: 10\n\n" + event(1, "status", status="succeeded"))

    service.answers = [busy, go_on]
    assert [entry["id"] for entry in run(service, lambda client: client.events("j1"))] == [1]
    service.answers = [busy, gives({"id": "j1", "status": "succeeded"})]
    assert run(service, lambda client: client.wait("j1"))["status"] == "succeeded"


def test_events_end_when_nothing_is_left(service: Service, run: Run) -> None:
    service.answers = [lambda request: request.answer(204, b"")]
    assert run(service, lambda client: client.events("j1", last_event_id=7)) == []
    assert service.requests[0].headers["Last-Event-ID"] == "7"


def test_events_of_an_unknown_job(service: Service, run: Run) -> None:
    service.answers = [gives({"code": "job_not_found", "detail": "There is no such job."}, 404)]
    with pytest.raises(ApiError, match="no such job"):
        run(service, lambda client: client.events("j1"))
    assert len(service.requests) == 1


def test_a_data_set_is_streamed_from_its_file(service: Service, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "houses.csv"
    file.write_bytes(b"x,y\n" + b"1,2\n" * 200_000)
    service.answers = [gives({"version": 1}, 201)]
    run(service, lambda client: client.upload_dataset("houses", file))
    [request] = service.requests
    assert (request.command, request.path) == ("PUT", "/v1/datasets/houses")
    assert request.headers["Content-Type"] == "text/csv"
    assert request.body == file.read_bytes()


def test_the_media_type_follows_the_suffix(service: Service, run: Run, tmp_path: Path) -> None:
    service.answers = [gives({"version": 1}, 201)]
    expected = [(f"houses{suffix}", media_type) for suffix, media_type in SUFFIXES.items()]
    expected += [("houses.csv.gz", "text/csv"), ("houses.PARQUET.GZ", PARQUET), ("a.b.json.zip", "application/json")]
    expected += [
        ("houses", BYTES),
        ("houses.data", BYTES),
        ("houses.gz", BYTES),
        ("houses.zip", BYTES),
        (".csv", BYTES),
    ]
    for name, media_type in expected:
        file = tmp_path / name
        file.write_bytes(b"x")
        run(service, methodcaller("upload_dataset", "houses", file))
        assert service.requests[-1].headers["Content-Type"] == media_type, name
    run(service, lambda client: client.upload_dataset("houses", b"x,y\n"))
    assert service.requests[-1].headers["Content-Type"] == BYTES
    run(service, lambda client: client.upload_dataset("houses", tmp_path / "houses.csv", "text/plain"))
    assert service.requests[-1].headers["Content-Type"] == "text/plain"


def test_reading_options_are_sent_in_the_query(service: Service, run: Run) -> None:
    service.answers = [gives({"version": 1}, 201)]
    options = {"separator": ";", "missing": ["1,5"], "skip_lines": 0, "sheet": None, "types": {"x": "category"}}
    run(service, lambda client: client.upload_dataset("houses", b"x;y\n", **options))
    query = parse_qsl(service.requests[0].path.partition("?")[2], keep_blank_values=True)
    assert [each for each in query if each[0] != "types"] == [
        ("separator", ";"), ("missing", "1,5"), ("missing", ""), ("skip_lines", "0")
    ]  # fmt: skip
    assert json.loads(dict(query)["types"]) == {"x": "category"}


def test_a_data_set_is_changed(service: Service, run: Run) -> None:
    service.answers = [gives({"version": 2}, 201)]
    run(service, lambda client: client.change_dataset("houses", {"decimal": None}, types={"x": "category"}))
    run(service, lambda client: client.change_dataset("houses", types={"x": None}))
    assert [(each.command, each.path) for each in service.requests] == [("PATCH", "/v1/datasets/houses")] * 2
    assert [json.loads(each.body) for each in service.requests] == [
        {"reading": {"decimal": None}, "types": {"x": "category"}},
        {"types": {"x": None}},
    ]


def test_a_card_is_markdown_or_a_page(service: Service, run: Run) -> None:
    service.answers = [lambda request: request.answer(200, "# línea\n".encode(), "text/markdown; charset=utf-8")] * 2
    assert run(service, lambda client: client.card("line", 1)) == "# línea\n"
    assert run(service, lambda client: client.card("line", "latest", "html")) == "# línea\n"
    asked = [(each.path, each.headers["Accept"]) for each in service.requests]
    assert asked == [
        ("/v1/models/line/versions/1/card", "text/markdown"),
        ("/v1/models/line/versions/latest/card", "text/html"),
    ]


def test_a_bundle_is_saved_whole(service: Service, run: Run, tmp_path: Path) -> None:
    service.answers = [lambda request: request.answer(200, b"z" * 1_000_000, "application/zip")]
    path = run(service, lambda client: client.download_bundle("line", 1, tmp_path / "line.zip"))
    assert path.read_bytes() == b"z" * 1_000_000
    assert [file.name for file in tmp_path.iterdir()] == ["line.zip"]


@pytest.mark.parametrize(
    ("suggested", "saved"), [("line-1.onnx", "line-1.onnx"), ("../line-1.onnx", "onnx"), ("..", "onnx")]
)
def test_an_export_is_saved_under_the_suggested_name(
    service: Service, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suggested: str, saved: str
) -> None:
    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Disposition", f'attachment; filename="{suggested}"')
        request.send_header("Content-Length", "1")
        request.end_headers()
        request.wfile.write(b"z")

    service.answers = [answer]
    monkeypatch.chdir(tmp_path)
    assert run(service, lambda client: client.download_export("line", 1, "onnx")) == Path(saved)
    assert [file.name for file in tmp_path.iterdir()] == [saved]
    assert service.requests[0].path == "/v1/models/line/versions/1/exports/onnx"


def test_an_aborted_download_leaves_no_file(service: Service, run: Run, tmp_path: Path) -> None:
    def break_off(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"z" * 10)

    service.answers = [break_off]
    with pytest.raises(Unreachable):
        run(service, lambda client: client.download_bundle("line", 1, tmp_path / "line.zip"))
    assert list(tmp_path.iterdir()) == []


def test_an_alias_is_compared_and_swapped(service: Service, run: Run) -> None:
    service.answers = [gives({"version": 3})]
    run(service, lambda client: client.set_alias("line", "production", 3, if_match=2))
    [request] = service.requests
    assert (request.command, request.path) == ("PUT", "/v1/models/line/aliases/production")
    assert (request.headers["If-Match"], json.loads(request.body)) == ('"2"', {"version": 3})


def test_deleting_returns_nothing(service: Service, run: Run) -> None:
    service.answers = [lambda request: request.answer(204, b"")]
    assert run(service, lambda client: client.delete_version("line", 1)) is None


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        ({"instances": [[0.5]]}, "/v1/models/line/predictions", {"instances": [[0.5]]}),
        ({"inputs": {"x": [0.5]}, "version": 2}, "/v1/models/line/versions/2/predictions", {"inputs": {"x": [0.5]}}),
        ({"query": {"x": "0.5"}}, "/v1/models/line/predictions?x=0.5", None),
    ],
)
def test_predictions(service: Service, run: Run, arguments: dict[str, Any], path: str, body: Any) -> None:
    service.answers = [gives({"predictions": [0.8]})]
    assert run(service, lambda client: client.predict("line", **arguments)) == {"predictions": [0.8]}
    [request] = service.requests
    assert (request.path, json.loads(request.body or b"null")) == (path, body)


def test_ready(service: Service, run: Run) -> None:
    service.answers = [gives({"status": "starting"}, 503), gives({"status": "ready"})]
    assert [run(service, lambda client: client.ready()) for _ in range(2)] == [False, True]


def test_connection_refused(service: Service, run: Run) -> None:
    service.server_close()
    assert run(service, lambda client: client.ready()) is False
    for use in (lambda client: client.model("line"), lambda client: client.events("j1")):
        with pytest.raises(Unreachable, match="could not be reached"):
            run(service, use)


@pytest.mark.parametrize(
    "page", [{}, {"data": 7}, {"data": [7]}, {"data": [], "has_more": True}, {"data": [{}], "has_more": True}]
)
@pytest.mark.parametrize("method", ["models", "keys"])
def test_a_list_of_another_server(service: Service, run: Run, page: Any, method: str) -> None:
    service.answers = [gives(page)]
    with pytest.raises(UnexpectedAnswer):
        run(service, methodcaller(method))


@pytest.mark.parametrize("answer", [{}, {"status": 7}, {"status": None}])
def test_a_job_of_another_server(service: Service, run: Run, answer: Any) -> None:
    service.answers = [gives(answer)]
    with pytest.raises(UnexpectedAnswer):
        run(service, lambda client: client.wait("j1"))
