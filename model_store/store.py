"""The model store: models with their aliases, and data sets."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from model_store.aliases import Aliases
from model_store.backends.backend import Backend
from model_store.backends.local import LocalBackend
from model_store.clock import Clock, utc_now
from model_store.collection import Collection
from model_store.errors import AliasCorrupt, AliasNotFound, NotFound, VersionInUse, VersionNotFound
from model_store.fault import Fault
from model_store.names import is_alias
from model_store.version import Version

_MOST_DIGITS = 18


class Store:
    """Everything on one backend: `models`, `datasets`, and `aliases` of the models."""

    def __init__(self, backend: Backend, *, now: Clock = utc_now) -> None:
        self.models = Collection(backend, "models", now=now)
        self.datasets = Collection(backend, "datasets", now=now)
        self.aliases = Aliases(backend, "models", self.models, now=now)
        self._backend = backend

    @classmethod
    def open(cls, root: Path) -> "Store":
        """The store in the local directory `root`, made when it is not there. Raises NoSpace, Unavailable."""
        return cls(LocalBackend(root))

    def resolve(self, name: str, reference: str) -> Version:
        """The model version that `reference` means: digits, `latest`, else an alias.

        Raises NameNotFound, VersionNotFound (also for an unknown alias), VersionCorrupt, AliasCorrupt, InvalidName.
        """
        if reference == "latest":
            return self.models.latest(name)
        if reference.isascii() and reference.isdigit() and len(reference) <= _MOST_DIGITS:
            return self.models.get(name, int(reference))
        self.models.latest_number(name)
        if not is_alias(reference):
            raise VersionNotFound(self.models.prefix, name, reference)
        return self._aliased(name, reference)

    def delete_version(self, name: str, number: int) -> None:
        """Delete one model version. Raises NameNotFound, VersionNotFound, and VersionInUse while an alias points at it.

        An alias set at the same moment is seen by a second look, after the tombstone is written; the version is then
        put back. What remains: in that moment others may find the version gone, and a process killed in it leaves
        the deletion done, with the alias reading as VersionNotFound.
        """
        self.models.delete(name, number, guard=self._unused(name, number))

    def delete_model(self, name: str) -> None:
        """Delete a model's aliases, then its versions. Raises NameNotFound; VersionInUse when an alias comes meanwhile.

        Not atomic: after a failure, what is left is whole, and the deletion can be asked for again.
        """
        numbers = self.models.numbers(name)
        for alias in self.aliases.all(name):
            with suppress(AliasNotFound):
                self.aliases.delete(name, alias)
        for number in numbers:
            with suppress(NotFound):  # another process deletes as well
                self.delete_version(name, number)

    def sweep(self, older_than_seconds: float) -> None:
        """Remove what crashed processes left behind, once older than that, which must exceed the longest publish."""
        self.models.sweep(older_than_seconds)
        self.datasets.sweep(older_than_seconds)
        self._backend.clear_temporary(older_than_seconds)

    def verify(self) -> list[Fault]:
        """Read every version and alias again; what is wrong, empty when all is whole."""
        return [*self.models.verify(), *self._alias_faults(), *self.datasets.verify()]

    def _aliased(self, name: str, alias: str) -> Version:
        try:
            entry = self.aliases.get(name, alias)
            while True:
                try:
                    return self.models.get(name, entry.version or 0)
                except VersionNotFound:
                    before, entry = entry, self.aliases.get(name, alias)
                    if entry == before:
                        raise  # else the alias moved on before its old version was deleted
        except AliasNotFound:
            raise VersionNotFound(self.models.prefix, name, alias) from None

    def _alias_faults(self) -> list[Fault]:
        faults = []
        for name in self.models.names():
            try:
                self.aliases.all(name)
            except AliasCorrupt as error:
                faults.append(Fault(name, None, f"aliases/{error.alias}/{error.entry}", "cannot be read"))
        return faults

    def _unused(self, name: str, number: int) -> Callable[[], None]:
        def guard() -> None:
            users = [alias for alias, entry in self.aliases.all(name).items() if entry.version == number]
            if users:
                raise VersionInUse(name, number, users)

        return guard
