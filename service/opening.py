"""Checks of the home at the start: everything recorded still exists, or the operator has accepted the loss."""

import logging
from pathlib import Path

from model_store import Store
from model_store.backends.schemes import local_folder
from model_store.errors import InvalidStoreUrl
from model_store.file_cache import FileCache
from service.access.audit import Audit
from service.home import IN_STORE, JOURNAL, Home, HomeDamaged, HomeError, HomeLost
from service.jobs.database import has_journal
from service.settings import InvalidSettings, Settings

log = logging.getLogger(__name__)


def check(settings: Settings) -> frozenset[str]:
    """What the home has held.

    Raises:
        HomeError: something of it is missing, or the record is damaged. Nothing was changed.
        InvalidSettings: the URL of the store is not valid.
    """
    home = home_of(settings)
    held = home.held()
    if lost := _lost(home, held, settings):
        raise HomeLost(home.folder, lost)
    if settings.database_url is not None and "journal" in held and "database" not in held:
        raise HomeError(
            f"The jobs of {home.folder} are in its journal.sqlite, and MODELWRIGHT_DATABASE_URL names another database. "
            "Unset it, or start with modelwright serve --accept-loss to go on without those jobs."
        )
    return held


def accept_loss(settings: Settings) -> Settings:
    """Records what the home holds now as complete, and writes what was lost to the audit log.

    Returns:
        The settings to start with. If keys were lost a first key will be created, so that the service is not left open.

    Raises:
        HomeHalfRestored: a restore was interrupted; there is no loss to accept.
        OSError: it could not be recorded.
    """
    home = home_of(settings)
    try:
        held = home.held()
    except HomeDamaged:
        lost, keys = {"home.json"}, True
    else:
        lost = set(_lost(home, held, settings))
        keys = not lost.isdisjoint({"keys", "admin_key"})
        url = settings.database_url
        if url is not None and "database" in held and not has_journal(url.get_secret_value()):
            lost.add("database")
        if url is not None and "database" not in held:
            lost |= held & {"journal"}
    if not lost:
        return settings
    log.warning("the loss of data from %s was accepted: %s", home.folder, ", ".join(sorted(lost)))
    audit = Audit(home.folder / "audit")
    audit.append_command("home.loss_accepted", str(home.folder), before=sorted(lost))
    audit.close()
    home.record(home.present() - lost - ({"journal"} if settings.database_url is not None else set()))
    return settings.model_copy(update={"first_key": True}) if keys else settings


def remember(settings: Settings) -> None:
    """Records what the home holds. An error is logged only: the running service does not depend on the record."""
    given = {"admin_key": settings.admin_key, "database": settings.database_url}
    home = home_of(settings)
    try:
        home.remember(*(name for name, value in given.items() if value is not None))
    except (HomeError, OSError) as error:
        log.error("what the home holds could not be recorded: %s", error)


def journal_url(settings: Settings) -> str:
    """The address of the journal's database: the one of the settings, or the SQLite file in the home."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return f"sqlite:///{settings.home.resolve() / JOURNAL}"


def store_url(settings: Settings) -> str:
    """The URL of the model store: the one of the settings, or the folder `store` in the home.

    Raises:
        InvalidSettings: there is no backend for the URL of the settings, or its folder is that of other files.
    """
    home = settings.home.resolve()
    try:
        folder = local_folder(settings.store_url or home / "store")
    except InvalidStoreUrl as error:
        raise InvalidSettings(f"MODELWRIGHT_STORE_URL: {error}") from None
    if folder is None:
        return str(settings.store_url)
    if folder.resolve() in (home, Path("/")):  # old files in the folder `tmp` of a store are removed
        raise InvalidSettings("MODELWRIGHT_STORE_URL: the store needs a folder of its own")
    return folder.absolute().as_uri()


def open_store(settings: Settings) -> Store:
    """The model store of the settings; what is in a bucket is fetched into the home's `cache/store`.

    Raises:
        InvalidSettings: as `store_url` does.
        StoreError: it cannot be opened, or its bucket is not suitable.
    """
    url, cache = store_url(settings), None
    if local_folder(url) is None:
        cache = FileCache(settings.home.resolve() / "cache" / "store", settings.store_cache_bytes)
    return Store.open(url, cache=cache)


def in_bucket(settings: Settings) -> bool:
    """Whether the model store is in a bucket. Raises InvalidSettings."""
    return local_folder(store_url(settings)) is None


def home_of(settings: Settings) -> Home:
    """The home of the settings, and the folder of its store. Raises InvalidSettings."""
    return Home(settings.home.resolve(), local_folder(store_url(settings)))


def _lost(home: Home, held: frozenset[str], settings: Settings) -> frozenset[str]:
    there = home.present()
    if settings.database_url is not None:
        there |= {"database"}  # opening it checks whether it is empty
    if in_bucket(settings):
        there |= IN_STORE  # opening it checks whether the bucket is there
    if settings.admin_key is not None or "keys" in there:
        there |= {"admin_key"}
    if "database" in held:
        there |= {"journal"}
    return held - there
