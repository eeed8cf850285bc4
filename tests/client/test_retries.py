"""Calls that the service refuses for a moment are sent again, if that is safe; each refusal is an exception of its own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest

from modelwright import ApiError, problems
from service.api.problems import TABLE
from tests.client.calls import Run, awaiting, waiting
from tests.client.conftest import Request, Service


@pytest.fixture(params=[waiting, awaiting])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


def refuses(status: int, code: str = "overloaded", retry_after: str = "0") -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        body = f'{{"code": "{code}", "detail": "not now", "request_id": "r1"}}'.encode()
        request.send_response(status)
        request.send_header("Retry-After", retry_after)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def gives(body: Any) -> Callable[[Request], None]:
    return lambda request: request.answer_json(200, body)


REPEATED: list[Callable[[Any], Any]] = [
    lambda client: client.model("line"),
    lambda client: client.predict("line", [[0.5]]),
    lambda client: client.set_alias("line", "blue", 1),
    lambda client: client.train({"model_name": "line"}),
]
SENT_ONCE: list[Callable[[Any], Any]] = [
    lambda client: client.cancel("j1"),
    lambda client: client.set_alias("line", "blue", 1, if_match=3),
    lambda client: client.rollback_alias("line", "blue"),
    lambda client: client.change_dataset("houses", {"decimal": ","}),
]


@pytest.mark.parametrize("use", REPEATED)
def test_a_call_that_is_safe_to_repeat_is_sent_again(service: Service, run: Run, use: Callable[[Any], Any]) -> None:
    service.answers = [refuses(429), refuses(503, "unavailable"), gives({"name": "line"})]
    assert run(service, use)["name"] == "line"
    first, second, third = service.requests
    assert (first.path, first.body) == (second.path, second.body) == (third.path, third.body)
    keys = {request.headers["Idempotency-Key"] for request in service.requests}
    assert len(keys) == 1 and (None in keys) == (first.path != "/v1/training-jobs")


@pytest.mark.parametrize("use", SENT_ONCE)
def test_a_call_that_could_act_twice_is_sent_once(service: Service, run: Run, use: Callable[[Any], Any]) -> None:
    service.answers = [refuses(503, "unavailable"), gives({})]
    with pytest.raises(problems.Unavailable):
        run(service, use)
    assert len(service.requests) == 1


def test_two_trainings_have_two_keys(service: Service, run: Run) -> None:
    service.answers = [gives({"id": "j1"})]
    for _ in range(2):
        run(service, lambda client: client.train({"model_name": "line"}))
    assert len({request.headers["Idempotency-Key"] for request in service.requests}) == 2


def test_pages_of_a_list_are_asked_for_again(service: Service, run: Run) -> None:
    pages = [{"data": [{"id": "b"}], "has_more": True}, {"data": [{"id": "a"}], "has_more": False}]
    service.answers = [gives(pages[0]), refuses(429), gives(pages[1])]
    assert [each["id"] for each in run(service, lambda client: client.jobs())] == ["b", "a"]


def test_after_the_last_try_the_refusal_is_raised(service: Service, run: Run) -> None:
    service.answers = [refuses(429)]
    with pytest.raises(problems.Overloaded) as caught:
        run(service, lambda client: client.model("line"), retries=1)
    assert len(service.requests) == 2
    assert (caught.value.retry_after, caught.value.request_id) == (0.0, "r1")
    assert caught.value.__notes__ == [f"Next: {problems.Overloaded.next_step}"]


@pytest.mark.parametrize(
    "refusal",
    [
        refuses(503, "version_corrupt"),  # which the next try does not change
        refuses(429, retry_after="3600"),  # which nobody wants to wait for unasked
        refuses(500, "internal"),
    ],
)
def test_what_does_not_pass_soon_is_not_tried_again(
    service: Service, run: Run, refusal: Callable[[Request], None]
) -> None:
    service.answers = [refusal]
    with pytest.raises(ApiError):
        run(service, lambda client: client.model("line"))
    assert len(service.requests) == 1


def test_retry_after_is_heeded(service: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()
    monkeypatch.setattr("time.sleep", pauses.append)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    service.answers = [refuses(429, retry_after="7"), refuses(503, retry_after=later), refuses(429), gives({})]
    run(service, lambda client: client.model("line"))
    told, dated, own = pauses
    assert 7 <= told <= 7 * 1.25
    assert 20 <= dated <= 30 * 1.25
    assert own <= 4 * 0.2 * 1.25


def test_pauses_grow(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()
    monkeypatch.setattr("time.sleep", pauses.append)
    service.answers = [refuses(429)]
    with pytest.raises(problems.Overloaded):
        waiting(service, lambda client: client.model("line"), retries=8)
    assert len(pauses) == 8 and all(later > earlier for earlier, later in pairwise(pauses[:6]))
    assert max(pauses) <= 15 * 1.25


def test_every_code_of_the_service_is_an_exception_of_its_own() -> None:
    codes = {code for _, code in TABLE.values()} | {"internal", "method_not_allowed", "not_found", "dataset_not_found"}
    assert set(problems.PROBLEMS) == codes
    for code, kind in problems.PROBLEMS.items():
        assert kind.__name__ == "".join(map(str.capitalize, code.split("_")))
        assert kind.__doc__ and kind.next_step


def test_the_code_of_a_newer_service_is_an_api_error(service: Service, run: Run) -> None:
    service.answers = [refuses(409, "too_shiny")]
    with pytest.raises(ApiError) as caught:
        run(service, lambda client: client.model("line"))
    assert (type(caught.value), caught.value.code) == (ApiError, "too_shiny")


@pytest.mark.parametrize(
    "body", [b"[]", b'"x"', b"\xff", b'{"code": 7, "errors": [7, {"pointer": "/x"}], "detail": ["y"]}']
)
def test_a_refusal_that_is_no_problem_document(service: Service, run: Run, body: bytes) -> None:
    service.answers = [lambda request: request.answer(500, body)]
    with pytest.raises(ApiError) as caught:
        run(service, lambda client: client.model("line"))
    assert caught.value.status == 500 and str(caught.value)
