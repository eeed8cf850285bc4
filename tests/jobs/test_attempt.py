"""The messages that an attempt sends and receives over its socket."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from service.jobs.attempt import Attempt
from service.jobs.errors import AttemptFailed, AttemptLeft, AttemptPutOff, AttemptSuperseded, JobsError
from service.jobs.executors.local.json_channel import JsonChannel
from service.jobs.executors.local.trainer_server import run


@pytest.fixture
def ends() -> Iterator[tuple[JsonChannel, Attempt]]:
    ours, theirs = socket.socketpair()
    yield JsonChannel(ours), Attempt(JsonChannel(theirs), {})
    ours.close()
    theirs.close()


def test_an_attempt_sees_a_request_to_end_without_blocking(ends: tuple[JsonChannel, Attempt]) -> None:
    runner, attempt = ends
    assert not attempt.asked_to_leave()
    runner.socket.sendall(b'{"lea')
    assert not attempt.asked_to_leave()
    runner.socket.sendall(b've": true}\n')
    assert attempt.asked_to_leave()
    assert attempt.asked_to_leave()


def test_an_attempt_without_a_runner_is_requested_to_end(ends: tuple[JsonChannel, Attempt]) -> None:
    runner, attempt = ends
    runner.close()
    assert attempt.asked_to_leave()
    assert attempt.asked_to_leave()


def test_an_attempt_publishes_after_a_request_to_end_that_came_too_late(ends: tuple[JsonChannel, Attempt]) -> None:
    runner, attempt = ends
    runner.send({"leave": True})
    runner.send({"answer": {"version": 1}})
    assert attempt.publish({"format": 1}, ["weights"], {"tensors": {"count": 3}}) == {"version": 1}
    published = {"manifest": {"format": 1}, "files": ["weights"], "summaries": {"tensors": {"count": 3}}}
    assert runner.receive_one() == {"publish": published}


def test_a_request_to_end_that_comes_while_data_are_fetched_is_kept(ends: tuple[JsonChannel, Attempt]) -> None:
    runner, attempt = ends
    runner.send({"leave": True})
    runner.send({"answer": {"dataset": 1}})
    assert attempt.fetch() == {"dataset": 1}
    assert attempt.asked_to_leave()


REASON = {"code": "unavailable", "detail": "not now"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"superseded": True}, AttemptSuperseded),
        ({"failed": REASON}, AttemptFailed),
        ({"put_off": REASON, "unpublished": True}, AttemptPutOff),
    ],
)
def test_a_request_that_cannot_be_met_raises(
    ends: tuple[JsonChannel, Attempt], answer: dict[str, object], error: type[JobsError]
) -> None:
    runner, attempt = ends
    runner.send(answer)
    with pytest.raises(error) as raised:
        attempt.publish({}, [])
    if isinstance(raised.value, AttemptFailed | AttemptPutOff):
        assert {"code": raised.value.code, "detail": raised.value.detail} == REASON
    if isinstance(raised.value, AttemptPutOff):
        assert raised.value.unpublished


def test_an_attempt_whose_runner_is_gone_does_not_wait_for_an_answer(ends: tuple[JsonChannel, Attempt]) -> None:
    runner, attempt = ends
    runner.socket.shutdown(socket.SHUT_WR)
    with pytest.raises(AttemptSuperseded):
        attempt.fetch()


def test_progress_counts_earlier_epochs_and_the_time_of_this_attempt(ends: tuple[JsonChannel, Attempt]) -> None:
    runner, attempt = ends
    attempt.expect(1000, 10, done=998)
    attempt.saved(998)
    attempt.epoch(999, {"train_loss": 1.0})
    saved, progress_message = runner.receive_one(), runner.receive_one()
    assert saved == {"saved": 998}
    assert (progress_message["progress"]["epoch"], progress_message["progress"]["fraction"]) == (999, 0.999)
    took = 10 / progress_message["progress"]["samples_per_second"]  # for one epoch, and so for the next one
    assert progress_message["progress"]["eta_seconds"] == pytest.approx(took, rel=0.1, abs=0.001)


def test_an_attempt_that_ended_on_request_reports_so_after_its_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # the attempt sets the default folder
    monkeypatch.setattr(tempfile, "tempdir", None)
    ours, theirs = socket.socketpair()
    (tmp_path / "job.json").write_bytes(orjson.dumps({"folder": str(tmp_path)}))

    def work(attempt: Attempt) -> dict[str, object]:
        attempt.expect(9, 10)
        attempt.epoch(1, {"train_loss": 1.0})
        attempt.epoch(2, {"train_loss": 0.5})
        raise AttemptLeft

    runner = JsonChannel(ours)
    runner.send({"job": str(tmp_path / "job.json")})
    assert run(work, theirs) == 0
    assert [runner.receive_one()["series"]["epoch"], runner.receive_one()["series"]["epoch"]] == [[1], [2]]
    assert runner.receive_one() == {"left": True}
    ours.close()
    theirs.close()
