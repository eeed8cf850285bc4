"""Who wants to know how long the stages of one prediction took: a trace, if there is one."""

from collections.abc import Callable
from contextvars import ContextVar

Seen = Callable[[str, float], None]  # a stage, and its seconds; called from any thread

seen: ContextVar[Seen | None] = ContextVar("seen", default=None)
