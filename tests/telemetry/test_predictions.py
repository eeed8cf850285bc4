"""Prediction metrics: the number of series is bounded however many models there are, and removed models have none."""

from prometheus_client import CollectorRegistry, generate_latest

from service.telemetry.predictions import BATCH, MOST_VERSIONS, PredictionFigures

STAGES = ("parse", "queue", "forward", "render", BATCH)


def text(figures: PredictionFigures) -> str:
    """The metrics as text."""
    registry = CollectorRegistry()
    registry.register(figures)
    return generate_latest(registry).decode()


def counted(figures: PredictionFigures) -> set[str]:
    """The models that have series."""
    lines = text(figures).splitlines()
    return {line.split('model="')[1].split('"')[0] for line in lines if 'model="' in line}


def predict(figures: PredictionFigures, name: str, number: int = 1) -> None:
    for stage in STAGES:
        figures.observe(name, number, stage, 0.001)
    figures.answered(name, number, 200)


def test_series_of_a_thousand_models_are_bounded() -> None:
    figures = PredictionFigures()
    for model in range(MOST_VERSIONS):
        predict(figures, f"m-{model}")
    size = len(text(figures))
    for model in range(1000):
        predict(figures, f"m-{model}")
    assert counted(figures) == {f"m-{model}" for model in range(MOST_VERSIONS)} | {"other"}
    assert len(text(figures)) < size * 1.02
    assert f'modelwright_predictions_total{{model="other",status="200",version=""}} {1000 - MOST_VERSIONS}.0' in (
        text(figures)
    )


def test_removed_models_make_room() -> None:
    figures = PredictionFigures()
    for model in range(MOST_VERSIONS):
        predict(figures, f"m-{model}")
    predict(figures, "m-0", 2)
    figures.forget(lambda name, number: name in ("m-1", "m-2") and number == 1)
    assert counted(figures) == {f"m-{model}" for model in range(MOST_VERSIONS)} - {"m-1", "m-2"} | {"other"}
    predict(figures, "m-0", 2)
    predict(figures, "m-1")
    assert 'modelwright_batch_rows_count{model="m-0",version="2"} 1.0' in text(figures)
    assert 'modelwright_batch_rows_count{model="m-1",version="1"} 1.0' in text(figures)
