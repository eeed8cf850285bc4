"""The errors of the store. The docstring of each class is its default message.

StoreError
├── InvalidStoreUrl        no backend has such a URL
├── InvalidName            a model, data set, alias or file name breaks its rule
├── InvalidManifest        a manifest that is no canonical JSON object
├── InvalidBundle          a bundle that breaks a rule; names member and rule
│   └── BundleMadeByNewer
├── NotFound
│   ├── NameNotFound       no live version under that name
│   ├── VersionNotFound
│   ├── AliasNotFound
│   └── RetentionNotFound
├── Conflict
│   ├── VersionInUse       an alias points at it
│   ├── PreconditionFailed the compare-and-swap was lost
│   └── NothingToRollBackTo
├── MadeByNewer            a format that this software does not know yet
├── Corrupt
│   ├── ContentDamaged     one file has changed; collections convert it to VersionCorrupt
│   ├── VersionCorrupt
│   ├── AliasCorrupt
│   └── RetentionCorrupt
└── BackendError
    ├── ObjectNotFound
    ├── ObjectExists
    ├── NoSpace
    ├── Unsuitable         the storage lacks what the store is built on
    └── Unavailable        any other failure of the storage below
"""


def shown(value: object) -> str:
    """`value` for a message: its ASCII repr in at most 80 characters, so that it can neither flood nor forge a log."""
    text = ascii(value[:200]) if isinstance(value, str) else ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


class StoreError(Exception):
    """The model store failed."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or type(self).__doc__)


class InvalidStoreUrl(StoreError):
    """The URL of the store is not valid."""


class InvalidName(StoreError):
    """The name breaks the rule for names of its kind."""

    def __init__(self, kind: str, rule: str, value: object) -> None:
        self.kind = kind
        self.rule = rule
        super().__init__(f"The {kind} {shown(value)} is not valid: {rule}.")


class InvalidManifest(StoreError):
    """The manifest is not a canonical JSON object."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(f"The manifest is not valid: {rule}.")


class InvalidBundle(StoreError):
    """The bundle breaks a rule."""

    def __init__(self, member: str | None, rule: str) -> None:
        self.member = member if member is None else shown(member)
        self.rule = rule
        super().__init__(f"The bundle is not valid: {'' if member is None else shown(member) + ': '}{rule}.")


class BundleMadeByNewer(InvalidBundle):
    """The bundle was made by a newer Modelwright."""


class NotFound(StoreError):
    """It does not exist in the store."""


class NameNotFound(NotFound):
    """Nothing is published under this name."""

    def __init__(self, collection: str, name: str) -> None:
        self.collection = collection
        self.name = name
        super().__init__(f"Nothing is published as {shown(name)} in {collection}.")


class VersionNotFound(NotFound):
    """There is no such version."""

    def __init__(self, collection: str, name: str, reference: int | str) -> None:
        self.collection = collection
        self.name = name
        self.reference = reference
        super().__init__(f"{shown(name)} in {collection} has no version {shown(reference)}.")


class AliasNotFound(NotFound):
    """There is no such alias."""

    def __init__(self, name: str, alias: str) -> None:
        self.name = name
        self.alias = alias
        super().__init__(f"{shown(name)} has no alias {shown(alias)}.")


class RetentionNotFound(NotFound):
    """There is no retention rule."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{shown(name)} has no retention rule: all its versions are kept.")


class Conflict(StoreError):
    """The store's state does not allow this."""


class VersionInUse(Conflict):
    """An alias points at this version."""

    def __init__(self, name: str, number: int, aliases: list[str]) -> None:
        self.name = name
        self.number = number
        self.aliases = aliases
        super().__init__(f"Version {number} of {shown(name)} is in use by: {', '.join(aliases)}.")


class PreconditionFailed(Conflict):
    """The alias is no longer what the caller expected."""


class NothingToRollBackTo(Conflict):
    """The alias has no earlier entry with a version that still exists."""


class MadeByNewer(StoreError):
    """What is stored was made by a newer Modelwright, in a format that this one does not know."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was made by a newer Modelwright, in a format that this one does not know.")


class Corrupt(StoreError):
    """What is stored is not what was written."""


class ContentDamaged(Corrupt):
    """A file of a version is not what was published."""

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{shown(file)} {reason}.")


class VersionCorrupt(Corrupt):
    """The version is not what was published."""

    def __init__(self, name: str, number: int, file: str, reason: str) -> None:
        self.name = name
        self.number = number
        self.file = file
        self.reason = reason
        super().__init__(f"Version {number} of {shown(name)} is corrupt: {shown(file)} {reason}.")


class AliasCorrupt(Corrupt):
    """An entry of the alias cannot be read."""

    def __init__(self, name: str, alias: str, entry: int) -> None:
        self.name = name
        self.alias = alias
        self.entry = entry
        super().__init__(f"Entry {entry} of the alias {shown(alias)} of {shown(name)} cannot be read.")


class RetentionCorrupt(Corrupt):
    """The retention rule cannot be read."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"The retention rule of {shown(name)} cannot be read. Set it again, or delete it.")


class BackendError(StoreError):
    """The storage failed."""


class ObjectNotFound(BackendError):
    """There is nothing at this key."""


class ObjectExists(BackendError):
    """There is already something at this key."""


class NoSpace(BackendError):
    """The storage is full."""


class Unsuitable(BackendError):
    """The storage lacks what the store is built on."""


class Unavailable(BackendError):
    """The storage cannot be used now."""


# Errors of one version or alias, which must not make the list of all unreadable.
UNREADABLE = (Corrupt, MadeByNewer, Unavailable)
