"""The model store: models with their aliases, and data sets."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from model_store.aliases import Aliases
from model_store.backends.backend import Backend
from model_store.backends.schemes import open_backend
from model_store.blobs import Blobs
from model_store.clock import Clock, utc_now
from model_store.collection import Collection
from model_store.damage import Damage
from model_store.errors import UNREADABLE, AliasNotFound, NotFound, RetentionNotFound, VersionNotFound
from model_store.file_cache import FileCache
from model_store.live_index import LiveIndex
from model_store.names import is_alias
from model_store.removals import Removals
from model_store.retention import Retention
from model_store.sweep import CollectionSweep, sweep_alias_index, sweep_blobs
from model_store.upgrade import upgrade
from model_store.verification import Report, Verification
from model_store.version import Version

# The newest known format of a manifest, by collection; callers of `publish` set the format of a manifest.
MODEL_FORMAT = 1
DATASET_FORMAT = 2
_MOST_DIGITS = 18


class Store:
    """Everything on one backend: `models`, `datasets`, and `aliases` and `retention` of the models."""

    def __init__(self, backend: Backend, *, now: Clock = utc_now) -> None:
        self.models = Collection(backend, "models", newest_format=MODEL_FORMAT, now=now)
        self.datasets = Collection(backend, "datasets", newest_format=DATASET_FORMAT, now=now)
        self.aliases = Aliases(backend, "models", self.models, now=now)
        self.retention = Retention(backend, self.models, self.aliases, now=now)
        self._backend = backend
        self._blobs = Blobs(backend)
        self._now = now
        self._removals = Removals(backend, now)
        self._sweeps = [
            CollectionSweep(collection, LiveIndex(backend, collection.prefix, now), self._removals)
            for collection in (self.models, self.datasets)
        ]

    @classmethod
    def open(cls, url: str | Path, *, cache: FileCache | None = None) -> "Store":
        """The store at a URL (`file:///srv/store`, `s3://bucket/prefix`) or in the local folder with that path.

        A local folder is made when it is not there; a bucket must be there, and is checked. Files that are not local are fetched
        into `cache`; a temporary one if None.

        Raises InvalidStoreUrl, NoSpace, Unavailable, Unsuitable.
        """
        return cls(open_backend(url, cache))

    def resolve(self, name: str, reference: str) -> Version:
        """The model version that `reference` means: digits, `latest`, else an alias.

        Raises NameNotFound, VersionNotFound (also for an unknown alias), VersionCorrupt, AliasCorrupt, MadeByNewer,
        InvalidName.
        """
        if _is_number(reference):
            return self.models.get(name, int(reference))
        number = self.number(name, reference)
        while True:
            try:
                return self.models.get(name, number)
            except VersionNotFound:
                before, number = number, self.number(name, reference)
                if number == before:
                    raise  # else the reference moved on before its old version was deleted

    def number(self, name: str, reference: str) -> int:
        """The number of the model version that `reference` means, which need not be whole. Raises as `resolve` does."""
        if reference == "latest":
            return self.models.latest_number(name)
        if _is_number(reference):
            self.models.record(name, int(reference))
            return int(reference)
        with suppress(AliasNotFound):
            if is_alias(reference):
                return self.aliases.get(name, reference).version or 0
        self.models.latest_number(name)  # NameNotFound when there is nothing at all
        raise VersionNotFound(self.models.prefix, name, reference)

    def delete_version(self, name: str, number: int) -> None:
        """Delete one model version. Raises NameNotFound, VersionNotFound, and VersionInUse while an alias points at it."""
        self.models.delete(name, number, guard=lambda reserved: self.aliases.check_unused(name, number, reserved))

    def delete_model(self, name: str) -> None:
        """Delete a model's aliases and retention rule, then its versions.

        Raises NameNotFound; VersionInUse when an alias comes meanwhile.

        Not atomic: after a failure, what is left is whole, and the deletion can be repeated.
        """
        numbers = self.models.numbers(name)
        for alias in self.aliases.all(name):
            with suppress(AliasNotFound):
                self.aliases.delete(name, alias)
        with suppress(RetentionNotFound):  # a later model of that name begins without one
            self.retention.delete(name)
        for number in numbers:
            with suppress(NotFound):  # another process deletes as well
                self.delete_version(name, number)

    def sweep(self, older_than_seconds: float) -> None:
        """Remove what crashed processes left behind, once older than that, which must exceed the longest publish and sweep;
        and the blobs that no version has any more, if every manifest can be read.
        """
        moment = self._now() - timedelta(seconds=older_than_seconds)
        whole = [sweep.run(moment) for sweep in self._sweeps]
        if all(whole):
            with suppress(*UNREADABLE):
                sweep_blobs(self._blobs, self._removals, self._sweeps)
        with suppress(*UNREADABLE):
            sweep_alias_index(self.aliases, moment)
        self._removals.forget(moment)
        self._backend.clear_temporary(older_than_seconds)

    def verify(self) -> list[Damage]:
        """Read every version and alias; what is damaged, empty when all is whole."""
        return self.examine().damages

    def examine(self) -> Report:
        """As `verify`, with what is no damage but worth knowing."""
        report = Report()
        Verification(self._backend, self.models, self.aliases, report, self.retention).run()
        Verification(self._backend, self.datasets, None, report).run()
        with suppress(*UNREADABLE):  # what cannot be read was reported already
            there = self._blobs.digests()
            report.leftovers += len(there.difference(*(sweep.blobs() for sweep in self._sweeps)))
        return report

    def upgrade(self) -> int:
        """Seal what earlier Modelwrights wrote unsealed; how many records and entries. No service may run."""
        return upgrade(self._backend, self.models, self.aliases) + upgrade(self._backend, self.datasets, None)


def _is_number(reference: str) -> bool:
    return reference.isascii() and reference.isdigit() and len(reference) <= _MOST_DIGITS
