"""Sealing what earlier Modelwrights wrote unsealed."""

from contextlib import suppress

from model_store.aliases import Aliases
from model_store.backends.backend import Backend
from model_store.collection import Collection
from model_store.errors import MadeByNewer, NotFound, ObjectNotFound, VersionCorrupt
from model_store.record import Record
from model_store.records import Records
from model_store.sealed import seal, unseal
from model_store.series import Series


def upgrade(backend: Backend, collection: Collection, aliases: Aliases | None) -> int:
    """Seal and mark every record and alias entry that is not yet; how many were sealed. Damaged ones are left alone.

    It may be interrupted at any moment and repeated: each object is replaced atomically, with the same content, and a deleted
    version gets a tombstone in the present form before its record is touched.
    """
    sealed = 0
    for name in collection.all_names():
        sealed += _versions(backend, collection.records(name))
        if aliases is not None:
            sealed += sum(_alias(backend, aliases, name, alias) for alias in aliases.names(name))
    return sealed


def _alias(backend: Backend, aliases: Aliases, name: str, alias: str) -> int:
    log, sealed = aliases.log(name, alias), 0
    for number in log.numbers():
        with suppress(ObjectNotFound, MadeByNewer):
            entry = aliases.entry(name, alias, number)
            if entry.version is not None:
                with suppress(NotFound):
                    aliases.collection.reserve(name, entry.version, alias, number)
            if not entry.damaged:
                sealed += _seal(backend, log, number)
    return sealed


def _versions(backend: Backend, records: Records) -> int:
    sealed, numbers = 0, records.numbers()
    for number in numbers:
        with suppress(VersionCorrupt, MadeByNewer):
            if records.ensure_tombstone(number) and number < numbers[-1]:
                records.series.remove(number)
        with suppress(ObjectNotFound, ValueError, MadeByNewer):
            Record.decode(records.series.key(number), records.series.read(number))
            sealed += _seal(backend, records.series, number)
    return sealed


def _seal(backend: Backend, series: Series, number: int) -> bool:
    key = series.key(number)
    fields, sealed = unseal(key, series.read(number))
    if not sealed:
        backend.replace(key, seal(key, fields))
    if not series.marked(number):
        series.mark(number)
    return not sealed
