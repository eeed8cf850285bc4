"""The history is bounded, and the same after any number of interruptions."""

from hypothesis import given
from hypothesis import strategies as st

from service.workflow.history import History
from service.workflow.state import flatten, unflatten


def losses(epoch: int) -> dict[str, float]:
    return {"train_loss": 1 / epoch, "validation_loss": 2.0**-epoch}


@given(st.integers(0, 300), st.integers(2, 20), st.sets(st.integers(0, 300), max_size=5))
def test_the_history_is_bounded_keeps_both_ends_and_survives_interruptions(
    epochs: int, most: int, stops: set[int]
) -> None:
    whole, interrupted = History(most), History(most)
    for epoch in range(1, epochs + 1):
        whole.add(epoch, losses(epoch))
        interrupted.add(epoch, losses(epoch))
        if epoch in stops:
            after = History(most)
            after.load(unflatten(*flatten(interrupted.state())))
            interrupted = after
    series = whole.series()
    assert interrupted.series() == series
    assert interrupted.epochs == epochs
    kept = series["epoch"]
    assert len(kept) <= most + 1
    assert all(type(epoch) is int for epoch in interrupted.series()["epoch"])
    assert kept[:1] + kept[-1:] == ([1, epochs] if epochs else [])
    assert kept == sorted(set(kept))
    assert len(kept) >= min(epochs, most // 2)
    assert all(series["train_loss"][i] == 1 / epoch for i, epoch in enumerate(kept))
    if epochs <= most:
        assert kept == list(range(1, epochs + 1))
    few = whole.series(most // 2)
    assert len(few["epoch"]) <= most // 2 + 1
    assert set(few["epoch"]) <= set(kept)
    assert few["epoch"][:1] + few["epoch"][-1:] == kept[:1] + kept[-1:]
    for reported in stops:
        assert list(whole.after(reported)) == [(int(epoch), losses(int(epoch))) for epoch in kept if epoch > reported]
