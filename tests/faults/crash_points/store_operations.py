"""Operations of the model store."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_store import Store, read_bundle, write_bundle
from model_store.errors import AliasNotFound, NotFound, StoreError
from tests.faults.crash_points.operation import Kind, Operation
from tests.model_store.content import content
from tests.model_store.source_files import source_files

MANIFEST = {"format": 1, "spec": "s"}
SUMMARIES = {"tensors": {"count": 1}}
WHOLE = 2**30


def state(home: Path) -> Any:
    """Everything readable in the store."""
    store, found = Store.open(home / "store"), {}
    for collection in (store.models, store.datasets):
        for name in collection.names():
            versions = {}
            for number in collection.numbers(name):
                version = collection.get(name, number)
                files = {
                    file: content(collection, version, file).decode() for file in sorted(version.manifest["files"])
                }
                versions[str(number)] = [version.digest, files, collection.summaries.find(version, "tensors")]
            found[f"{collection.prefix}/{name}"] = versions
    aliases = {
        f"{name}@{alias}": [[each.version, each.damaged] for each in store.aliases.history(name, alias)]
        for name in store.models.all_names()
        for alias in store.aliases.names(name)
        if _has_history(store, name, alias)
    }
    rules = {name: _rule(store, name) for name in store.models.names()}
    return json.loads(json.dumps([found, aliases, rules]))


def _rule(store: Store, name: str) -> list[int | None] | None:
    try:
        rule = store.retention.get(name)
    except NotFound:
        return None
    return [rule.last, rule.days]


def _has_history(store: Store, name: str, alias: str) -> bool:
    try:
        return bool(store.aliases.history(name, alias))
    except AliasNotFound:
        return False


def faults(home: Path) -> list[str]:
    """The findings of verify, and what sweeping leaves."""
    root = home / "store"
    store = Store.open(root)
    found = [f"verify: {each}" for each in store.verify()]
    before = state(home)
    store.sweep(-60)  # leftovers of any age are swept
    if state(home) != before:
        found.append("the sweep has changed what there is")
    for collection in (store.models, store.datasets):
        lives = [name for name in collection.all_names() if _lives(collection, name)]
        if collection.names() != lives or not (root / "living" / collection.prefix / ".built").exists():
            found.append(f"the index has {collection.names()} after the sweep, and {lives} live")
    found += [f"left in doubt: {path.name}" for path in (root / "living" / "doubts").glob("*/*")]
    found += [f"left in tmp: {path.name}" for path in (root / "tmp").iterdir()]
    report = store.examine()
    found += [f"verify after the sweep: {each}" for each in report.damages]
    if report.leftovers:
        found.append(f"{report.leftovers} contents and blobs are left after the sweep")
    found += [f"left in sweeps: {path.name}" for path in (root / "sweeps").glob("*")]
    return found


def _lives(collection: Any, name: str) -> bool:
    try:
        return bool(collection.numbers(name))
    except NotFound:
        return False


STORE = Kind(state, faults, (StoreError,))


def prepare(home: Path) -> None:
    """`line` with versions 1 to 3, `production` moved from 1 to 2; `rows`."""
    store = Store.open(home / "store")
    for number in (1, 2, 3):
        files = source_files(home, {"weights": f"w{number}".encode(), "plots/points": b"[1]"})
        store.models.publish("line", {**MANIFEST, "number": number}, files, key=f"job{number}")
    for version in (1, 2):
        store.aliases.set("line", "production", version)
    store.datasets.publish("rows", {"format": 2}, source_files(home, {"data": b"1,2"}))


def publish(home: Path) -> Iterator[None]:
    """Publishes without an idempotency key."""
    store, files = Store.open(home / "store"), source_files(home, {"weights": b"w4", "plots/points": b"[4]"})
    yield
    store.models.publish("line", MANIFEST, files)


def publish_keyed(home: Path) -> Iterator[None]:
    """Publishes as a training does."""
    store, files = Store.open(home / "store"), source_files(home, {"weights": b"w4", "plots/points": b"[4]"})
    yield
    store.models.publish_once("line", MANIFEST, files, key="job4", summaries=SUMMARIES)


def publish_first(home: Path) -> Iterator[None]:
    """Publishes the first version of a model."""
    store, files = Store.open(home / "store"), source_files(home, {"weights": b"w1"})
    yield
    store.models.publish("new", MANIFEST, files, key="job1")


def publish_again(home: Path) -> Iterator[None]:
    """Publishes under a key that already has a version."""
    store, files = Store.open(home / "store"), source_files(home, {"weights": b"w3"})
    yield
    store.models.publish("line", MANIFEST, files, key="job3")


def publish_dataset(home: Path) -> Iterator[None]:
    """Publishes a table and its head."""
    store, files = Store.open(home / "store"), source_files(home, {"data": b"1,2\n3,4", "head.json": b"[]"})
    yield
    store.datasets.publish_once("rows", {"format": 2}, files, key="upload:1")


def publish_shared(home: Path) -> Iterator[None]:
    """Publishes a file that other versions have, and a new one."""
    store, files = Store.open(home / "store"), source_files(home, {"weights": b"w1", "plots/points": b"[4]"})
    yield
    store.models.publish("line", MANIFEST, files, key="job4")


def keep_summary(home: Path) -> Iterator[None]:
    """Keeps the summary of a version that was published without one."""
    store = Store.open(home / "store")
    yield
    store.models.summaries.keep(store.models.get("line", 2), "tensors", {"count": 1})


def delete(home: Path) -> Iterator[None]:
    """Deletes the newest version; its record stays, for the next number."""
    store = Store.open(home / "store")
    yield
    store.delete_version("line", 3)


def delete_older(home: Path) -> Iterator[None]:
    """Deletes an older version with its record."""
    store = Store.open(home / "store")
    yield
    store.delete_version("line", 1)


def delete_model(home: Path) -> Iterator[None]:
    """Deletes all versions and aliases."""
    store = Store.open(home / "store")
    yield
    store.delete_model("line")


def set_alias(home: Path) -> Iterator[None]:
    """Moves an alias."""
    store = Store.open(home / "store")
    yield
    store.aliases.set("line", "production", 3)


def set_first_alias(home: Path) -> Iterator[None]:
    """Creates an alias."""
    store = Store.open(home / "store")
    yield
    store.aliases.set("line", "canary", 3)


def delete_alias(home: Path) -> Iterator[None]:
    """Deletes an alias; its history is kept."""
    store = Store.open(home / "store")
    yield
    store.aliases.delete("line", "production")


def roll_back(home: Path) -> Iterator[None]:
    """Moves an alias to its previous entry."""
    store = Store.open(home / "store")
    yield
    store.aliases.rollback("line", "production")


def prepare_bundle(home: Path) -> None:
    """A store and a bundle."""
    prepare(home)
    store = Store.open(home / "store")
    with (home / "bundle.zip").open("wb") as target:
        write_bundle(store.models.get("line", 2), store.models, target)


def take_bundle(home: Path) -> Iterator[None]:
    """Imports the bundle under another name."""
    store, work = Store.open(home / "store"), home / "members"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    yield
    draft = read_bundle(home / "bundle.zip", work, WHOLE)
    store.models.take("copy", draft.manifest, draft.files, summaries=SUMMARIES)


def prepare_leftovers(home: Path) -> None:
    """Contents without a version, files of killed writers, and a record that should have been deleted."""
    prepare(home)
    contents = home / "store/models/line/contents"
    one = sorted(contents.iterdir())[0]
    shutil.copytree(one, contents / f"{one.name[:12]}{'0' * 20}")
    record = home / "store/models/line/versions/1"
    kept = record.read_bytes()
    Store.open(home / "store").delete_version("line", 1)
    record.write_bytes(kept)
    (home / "store/tmp/left").write_bytes(b"x")


def prepare_unnamed(home: Path) -> None:
    """Files that no version has any more, beside one that is still shared, and the announcement of a killed sweep."""
    prepare(home)
    store = Store.open(home / "store")
    store.models.publish("copy", MANIFEST, source_files(home, {"weights": b"w1", "more": b"m"}))
    store.delete_version("line", 1)
    store.delete_model("copy")
    root = home / "store/sweeps"
    root.mkdir(exist_ok=True)
    (root / f"{'0' * 31}1").write_bytes(b"{}")


def set_rule(home: Path) -> Iterator[None]:
    """Sets a retention rule."""
    store = Store.open(home / "store")
    yield
    store.retention.put("line", 1, None)


def prepare_rule(home: Path) -> None:
    """A store with a rule by which version 1 goes: 2 and 3 are needed."""
    prepare(home)
    store = Store.open(home / "store")
    for version in (3, 2):
        store.aliases.set("line", "production", version)
    store.retention.put("line", 1, None)


def apply_rule(home: Path) -> Iterator[None]:
    """Deletes what a rule does not keep."""
    store = Store.open(home / "store")
    yield
    for number in store.retention.expired("line", store.retention.get("line")):
        if not store.retention.apply("line", number, lambda: False):
            raise StoreError(f"version {number} was not deleted")


def sweep(home: Path) -> Iterator[None]:
    """Removes leftovers, as the housekeeping does."""
    store = Store.open(home / "store")
    yield
    store.sweep(-60)


def prepare_unindexed(home: Path) -> None:
    """A store from before the index of existing names, with a model whose versions are all deleted."""
    prepare(home)
    store = Store.open(home / "store")
    store.models.publish("gone", MANIFEST, source_files(home, {"weights": b"w"}))
    store.delete_version("gone", 1)
    shutil.rmtree(home / "store/living")


def prepare_unsealed(home: Path) -> None:
    """A store of earlier versions of this software."""
    prepare(home)
    root = home / "store"
    for path in [*root.glob("*/*/versions/*"), *root.glob("*/*/aliases/*/*")]:
        fields = json.loads(path.read_bytes())
        for name in ("seal", "format"):
            del fields[name]
        path.write_bytes(json.dumps(fields, sort_keys=True).encode())
    record = root / "models/line/versions/3"
    tombstone = {**json.loads(record.read_bytes()), "deleted_at": "2026-01-31T12:00:00.000000Z"}
    record.write_bytes(json.dumps(tombstone).encode())
    for folder in [*root.glob("*/*/marks"), *root.glob("*/*/uses")]:
        shutil.rmtree(folder)


def unsealed_state(home: Path) -> Any:
    """The state, and how much of it has no seal."""
    return [state(home), Store.open(home / "store").examine().unsealed]


def upgrade(home: Path) -> Iterator[None]:
    """Upgrades such a store."""
    store = Store.open(home / "store")
    yield
    store.upgrade()


def opened(home: Path) -> Iterator[None]:
    """Creates a store."""
    yield
    Store.open(home / "store")


def prepare_home(home: Path) -> None:
    """An empty folder."""
    home.mkdir()


def once(home: Path) -> Any:
    """The state, and whether the store exists: opening creates it."""
    return state(home)


OLD = Kind(unsealed_state, faults, (StoreError,))
ALL = [
    Operation("open a new store", Kind(once, faults, (StoreError,)), opened, prepare_home),
    Operation("publish", STORE, publish, prepare, repeats=False),
    Operation("publish with a key", STORE, publish_keyed, prepare),
    Operation("publish a file that others have", STORE, publish_shared, prepare),
    Operation("publish a model's first version", STORE, publish_first, prepare),
    Operation("publish again under a key", STORE, publish_again, prepare),
    Operation("publish a data set", STORE, publish_dataset, prepare),
    Operation("keep a summary", STORE, keep_summary, prepare),
    Operation("delete the newest version", STORE, delete, prepare, ended=(NotFound,)),
    Operation("delete an older version", STORE, delete_older, prepare, ended=(NotFound,)),
    Operation("delete a model", STORE, delete_model, prepare, steps=True, ended=(NotFound,)),
    Operation("move an alias", STORE, set_alias, prepare),
    Operation("make an alias", STORE, set_first_alias, prepare),
    Operation("delete an alias", STORE, delete_alias, prepare, ended=(NotFound,)),
    Operation("roll an alias back", STORE, roll_back, prepare, repeats=False),
    Operation("take in a bundle", STORE, take_bundle, prepare_bundle),
    Operation("sweep", STORE, sweep, prepare_leftovers),
    Operation("sweep files of no version", STORE, sweep, prepare_unnamed),
    Operation("set a retention rule", STORE, set_rule, prepare),
    Operation("apply a retention rule", STORE, apply_rule, prepare_rule),
    Operation("build the index of living names", STORE, sweep, prepare_unindexed),
    Operation("upgrade", OLD, upgrade, prepare_unsealed, steps=True),
]
