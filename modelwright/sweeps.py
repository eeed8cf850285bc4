"""Sweeps: calls of the client."""

import os
from collections.abc import Mapping
from typing import Any

from modelwright.calls import as_it_is, json_of, pages
from modelwright.jobs import spec_of
from modelwright.json_types import Json
from modelwright.methods import returns, yields
from modelwright.steps import Call, Steps, Stream
from modelwright.sweep import AsyncSweep, Sweep, sweep_path


class Sweeps:
    """Sweeps, as steps."""

    @returns(lambda: (Sweep, AsyncSweep))
    def search(
        self,
        data: Any,
        /,
        search: Mapping[str, Any],
        target: str | list[str] | None = None,
        *,
        model_name: str | None = None,
        idempotency_key: str | None = None,
        **parts: Any,
    ) -> Steps[Json]:
        """Begins a sweep: it trains with different settings, and publishes the version of the best.

        Args:
            data, target, model_name: as `train` takes them.
            search: the fields of the spec and their values: `{"optimizer.lr": {"log": [1e-4, 1e-1]}}`.
            idempotency_key: a repetition with the same key and body returns the same sweep.
            parts: further parts of the spec, and of the search: `method="random"`, `trials=50`, `objective="validation.r2"`.

        Raises:
            UnusableData: there is no table in `data`.
            ApiError: the service has refused the table, the spec or the search; `errors` points at what is wrong.
        """
        if model_name is not None:
            parts["model_name"] = model_name
        body = {**(yield from spec_of(data, target, parts)), "search": dict(search)}
        headers = {"Idempotency-Key": idempotency_key or os.urandom(16).hex()}
        return (yield from json_of(Call("POST", "/v1/sweeps", headers=headers, json=body)))

    @returns(lambda: (Sweep, AsyncSweep))
    def sweep(self, sweep_id: str) -> Steps[Json]:
        """A sweep with its trials."""
        return (yield from json_of(Call("GET", sweep_path(sweep_id))))

    @yields(lambda: (Sweep, AsyncSweep))
    def sweeps(self, status: str | None = None, model_name: str | None = None) -> Stream[Json]:
        """All sweeps without their trials, newest first."""
        wanted = {"status": status, "model_name": model_name}
        query = {name: value for name, value in wanted.items() if value}
        yield from pages(as_it_is, "/v1/sweeps", "id", query)
