"""Concurrent operations on one model, and a checker of their linearizability."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from model_store import Store
from model_store.errors import AliasNotFound, NotFound, PreconditionFailed, VersionInUse

Call = tuple[str, tuple[Any, ...]]
GONE, IN_USE, LOST = "not found", "in use", "precondition failed"


@dataclass(frozen=True)
class Operation:
    """A call of `do` with `arguments` and its answer; `began` and `ended` are of one clock for all operations."""

    do: str
    arguments: tuple[Any, ...]
    answer: Any
    began: int
    ended: int


@dataclass(frozen=True)
class Model:
    """The expected store: the highest number used, the live versions with their keys, and each alias's last entry."""

    highest: int = 0
    versions: frozenset[tuple[int, str | None]] = frozenset()
    aliases: frozenset[tuple[str, int, int | None]] = frozenset()

    def after(self, do: str, arguments: tuple[Any, ...], answer: Any) -> "Model | None":
        """The store after an operation with this answer, or None if the answer is impossible."""
        match do:
            case "publish" | "take":
                (key,) = arguments
                published = {number for number, each in self.versions if key is not None and each == key}
                if published:
                    return self if answer in published else None
                versions = self.versions | {(self.highest + 1, key)}
                return replace(self, highest=answer, versions=versions) if answer == self.highest + 1 else None
            case "delete":
                return self._after_delete(arguments[0], answer)
            case "set":
                return self._after_set(arguments, answer)
            case "latest":
                return self if answer == max(self.live(), default=GONE) else None
            case "alias":
                entry, version = self.entry(arguments[0])
                return self if answer == (GONE if version is None else (entry, version)) else None
            case "listed":
                return self if answer == (arguments[0] in self.live()) else None
            case "sweep":
                return self
        raise ValueError(do)

    def live(self) -> list[int]:
        return [number for number, _ in self.versions]

    def entry(self, alias: str) -> tuple[int, int | None]:
        return next(((entry, version) for each, entry, version in self.aliases if each == alias), (0, None))

    def _after_delete(self, number: int, answer: Any) -> "Model | None":
        if number not in self.live():
            return self if answer == GONE else None
        if any(version == number for _, _, version in self.aliases):
            return self if answer == IN_USE else None
        left = frozenset(each for each in self.versions if each[0] != number)
        return replace(self, versions=left) if answer is None else None

    def _after_set(self, arguments: tuple[Any, ...], answer: Any) -> "Model | None":
        alias, number, expected = arguments
        entry, version = self.entry(alias)
        if expected is not None and (version is None or entry != expected):
            return self if answer == LOST else None
        if number not in self.live():
            return self if answer == GONE else None
        if version == number:
            return self if answer == entry else None
        if not isinstance(answer, int) or answer <= entry:  # numbers may be skipped, and never decrease
            return None
        others = frozenset(each for each in self.aliases if each[0] != alias)
        return replace(self, aliases=others | {(alias, answer, number)})


def random_calls(rng: random.Random, count: int) -> list[Call]:
    """Operations of one caller."""

    def number() -> int:
        return rng.randint(1, 4)

    def alias() -> str:
        return rng.choice(["production", "staging"])

    kinds: list[Callable[[], Call]] = [
        lambda: ("publish", (rng.choice([None, "k", "l"]),)),
        lambda: ("take", (rng.choice(["one", "two"]),)),
        lambda: ("delete", (number(),)),
        lambda: ("delete", (number(),)),
        lambda: ("set", (alias(), number(), rng.choice([None, None, 1, 2]))),
        lambda: ("set", (alias(), number(), None)),
        lambda: ("latest", ()),
        lambda: ("alias", (alias(),)),
        lambda: ("sweep", ()),
    ]
    return [rng.choice(kinds)() for _ in range(count)]


def perform(store: Store, name: str, do: str, arguments: tuple[Any, ...]) -> Any:
    """Do the operation and return its answer."""
    try:
        match do:
            case "publish":
                return store.models.publish(name, {}, {}, key=arguments[0]).number
            case "take":
                return store.models.take(name, {"bundle": arguments[0], "files": {}}, {})[0].number
            case "delete":
                return store.delete_version(name, arguments[0])
            case "set":
                alias, number, expected = arguments
                return store.aliases.set(name, alias, number, expected=expected).number
            case "latest":
                return store.resolve(name, "latest").number
            case "alias":
                entry = store.aliases.get(name, arguments[0])
                return entry.number, entry.version
            case "sweep":
                return store.sweep(3600)
    except (NotFound, AliasNotFound):
        return GONE
    except VersionInUse:
        return IN_USE
    except PreconditionFailed:
        return LOST
    raise ValueError(do)


def is_linearizable(history: list[Operation], start: Model | None = None) -> bool:
    """Whether there is an order in which each operation takes effect between its begin and its end."""
    history = sorted(history, key=lambda each: each.began)
    all_done = (1 << len(history)) - 1
    seen: set[tuple[int, Model]] = set()
    paths = [(0, start or Model())]
    while paths:
        done, model = paths.pop()
        if done == all_done:
            return True
        if (done, model) in seen:
            continue
        seen.add((done, model))
        for place in _next(history, done):
            each = history[place]
            after = model.after(each.do, each.arguments, each.answer)
            if after is not None:
                paths.append((done | 1 << place, after))
    return False


def _next(history: list[Operation], done: int) -> Iterator[int]:
    """The operations that may be next: no remaining one ended before they began."""
    left = [place for place in range(len(history)) if not done >> place & 1]
    first_end = min(history[place].ended for place in left)
    return (place for place in left if history[place].began <= first_end)


def formatted(history: list[Operation]) -> str:
    """The history as text, for a failure's message."""
    return "\n".join(map(str, sorted(history, key=lambda each: each.began)))


def counts(history: list[Operation]) -> Mapping[tuple[str, str], int]:
    """The number of operations of each kind with each kind of answer."""
    found: dict[tuple[str, str], int] = {}
    for each in history:
        kind = (each.do, each.answer if isinstance(each.answer, str) else "done")
        found[kind] = found.get(kind, 0) + 1
    return found
