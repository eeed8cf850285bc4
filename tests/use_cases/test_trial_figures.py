"""The losses of a trial are those of the epoch whose weights its model has."""

from service.use_cases.trial_figures import losses_of

SERIES: dict[str, list[float]] = {"epoch": [1, 2, 3], "train_loss": [0.9, 0.5, 0.4], "validation_loss": [0.8, 0.6, 0.7]}


def test_of_the_epoch_whose_weights_are_kept() -> None:
    assert losses_of(SERIES, None) == {"train_loss": 0.4, "validation_loss": 0.7}
    assert losses_of(SERIES, "validation_loss") == {"train_loss": 0.5, "validation_loss": 0.6}
    assert losses_of(SERIES, "train_loss") == {"train_loss": 0.4, "validation_loss": 0.7}
    assert losses_of(SERIES, "mean_answer_loss") == {"train_loss": 0.5, "validation_loss": 0.6}
    assert losses_of({"epoch": []}, None) == {}
