"""What every chart is drawn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.workflow.look.importance import Importance
from service.workflow.look.points import Points, TargetPoints
from service.workflow.look.text import text
from service.workflow.parts import PARTS
from service.workflow.signature import Signature


@dataclass(frozen=True)
class ChartData:
    """The data of all charts. `rows` has the number of rows of each part, as far as it is known; `folds` the epochs of each
    fold's network, if there are folds, with which the history begins."""

    signature: Signature
    points: Points
    history: Mapping[str, list[float | None]]
    confusion: Mapping[str, list[list[int]]]
    rows: Mapping[str, int] = field(default_factory=dict)
    importance: Importance | None = None
    folds: Sequence[int] = ()

    @property
    def targets(self) -> list[TargetPoints]:
        """The targets with points, the first of the model first."""
        of = self.points
        first = TargetPoints(
            name=self.signature.outputs[0].name,
            truth=of.truth,
            prediction=of.prediction,
            probability=of.probability,
        )
        return [first, *of.more_targets]

    @property
    def answers_numbers(self) -> bool:
        """Whether the targets are numbers."""
        return self.signature.outputs[0].classes is None

    @property
    def last_part(self) -> str:
        """The last part with sampled rows."""
        present = set(self.points.part)
        return next((part for part in reversed(PARTS) if part in present), PARTS[-1])

    def told_rows(self, parts: Sequence[str]) -> str:
        """The number of rows of these parts in words, and of how many rows they are a sample."""
        counts = {part: self.points.part.count(part) for part in parts}
        drawn = sum(counts.values())
        total = sum(max(self.rows.get(part, 0), count) for part, count in counts.items())
        named = [f"{part} {count:,}" for part, count in counts.items() if count]
        of = "row" if drawn == 1 else "rows"
        if total > drawn:
            of = f"rows, sampled from {total:,}"
        return f"{', '.join(named)} {of}" if named else "no rows"

    def name(self, target: TargetPoints) -> str:
        """A target's name as charts show it."""
        return text(target.name)
