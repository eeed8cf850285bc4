"""Aliases and retention rules of models: calls of the client."""

from typing import Any

from modelwright.calls import json_of, objects_in, pages, path
from modelwright.methods import operation, stream
from modelwright.results import Alias, Retention
from modelwright.steps import Call, Steps, Stream


class Aliases:
    """Aliases and retention rules, as steps."""

    @operation
    def aliases(self, name: str) -> Steps[list[Alias]]:
        """The aliases of a model and the versions that they point at."""
        found, query = list[Alias](), dict[str, Any]()
        while True:
            page = yield from json_of(Call("GET", path("models", name, "aliases"), query=query))
            found += map(Alias, objects_in(page))
            if not page.get("has_more") or not found:
                return found
            query = {"after": found[-1].alias}

    @operation
    def alias(self, name: str, alias: str) -> Steps[Alias]:
        """An alias and its version; its `entry` is what `set_alias` takes as `if_match`."""
        return Alias((yield from json_of(Call("GET", path("models", name, "aliases", alias)))))

    @stream
    def alias_history(self, name: str, alias: str) -> Stream[Alias]:
        """The entries of an alias, the oldest first: the versions that it has pointed at."""
        yield from pages(Alias, path("models", name, "aliases", alias, "history"), "entry")

    @operation
    def set_alias(self, name: str, alias: str, version: int, if_match: int | None = None) -> Steps[Alias]:
        """Points an alias at a version; with `if_match`, only when its newest entry has that number."""
        headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
        # What was moved, but answered with 503, would not match any more.
        repeatable = if_match is None
        address = path("models", name, "aliases", alias)
        call = Call("PUT", address, headers=headers, json={"version": version}, repeatable=repeatable)
        return Alias((yield from json_of(call)))

    @operation
    def rollback_alias(self, name: str, alias: str) -> Steps[Alias]:
        """Points an alias at its previous version."""
        return Alias((yield from json_of(Call("POST", path("models", name, "aliases", alias, "rollback")))))

    @operation
    def delete_alias(self, name: str, alias: str) -> Steps[None]:
        """Removes an alias."""
        yield Call("DELETE", path("models", name, "aliases", alias))

    @operation
    def retention(self, name: str) -> Steps[Retention]:
        """The retention rule of a model, and the versions that it deletes next."""
        return Retention((yield from json_of(Call("GET", path("models", name, "retention")))))

    @operation
    def set_retention(
        self, name: str, last: int | None = None, days: int | None = None, dry_run: bool = False
    ) -> Steps[Retention]:
        """Keeps the last versions of a model and those of the last days; with `dry_run`, only shows what would go."""
        rule = {key: value for key, value in (("last", last), ("days", days)) if value is not None}
        query = {"dry_run": "true"} if dry_run else {}
        return Retention((yield from json_of(Call("PUT", path("models", name, "retention"), query=query, json=rule))))

    @operation
    def delete_retention(self, name: str) -> Steps[None]:
        """Keeps all versions of a model from now on."""
        yield Call("DELETE", path("models", name, "retention"))
