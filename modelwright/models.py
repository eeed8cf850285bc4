"""Models and their versions: calls of the client."""

from pathlib import Path
from typing import Literal

import httpx

from modelwright.calls import Version, as_it_is, json_of, pages, version_path
from modelwright.calls import path as address
from modelwright.downloads import FilePath, save
from modelwright.drift import Drift
from modelwright.json_types import Json
from modelwright.methods import operation, returns, yields
from modelwright.model import (
    AsyncModel,
    AsyncModelVersion,
    Model,
    ModelVersion,
    card_of,
    export_call,
    plot_of,
)
from modelwright.plots import Plot
from modelwright.results import Comparison, Lineage, Parameters, Published
from modelwright.steps import Call, Steps, Stream

_COMPARE_SECONDS = 600  # that the service may take to read two large models


class Models:
    """Models and versions, as steps."""

    @yields(lambda: (Model, AsyncModel))
    def models(self) -> Stream[Json]:
        """All models, by name."""
        yield from pages(as_it_is, "/v1/models", "name")

    @returns(lambda: (Model, AsyncModel))
    def model(self, name: str) -> Steps[Json]:
        """A model: a summary of its versions, aliases and metrics."""
        return (yield from json_of(Call("GET", address("models", name))))

    @operation
    def delete_model(self, name: str) -> Steps[None]:
        """Removes a model with all its versions."""
        yield Call("DELETE", address("models", name))

    @yields(lambda: (ModelVersion, AsyncModelVersion))
    def versions(self, name: str) -> Stream[Json]:
        """All versions of a model, newest first."""
        yield from pages(as_it_is, address("models", name, "versions"), "version")

    @operation
    def delete_version(self, name: str, version: Version) -> Steps[None]:
        """Removes one version, unless an alias points at it."""
        yield Call("DELETE", version_path(name, version))

    @returns(lambda: (ModelVersion, AsyncModelVersion))
    def manifest(self, name: str, version: Version) -> Steps[Json]:
        """A version with its manifest: its training, inputs and outputs, and its files with their digests."""
        return (yield from json_of(Call("GET", version_path(name, version))))

    @operation
    def parameters(self, name: str, version: Version, *, statistics: bool = True) -> Steps[Parameters]:
        """Each parameter of a version with its shape and, unless `statistics` is false, statistics of its values."""
        query = {} if statistics else {"statistics": "false"}
        return Parameters((yield from json_of(Call("GET", version_path(name, version, "parameters"), query=query))))

    @operation
    def state_dict(
        self, name: str, version: Version, tensor: str | None = None, rows: tuple[int, int] | None = None
    ) -> Steps[Json]:
        """The tensors of a version as nested lists, or just the one that is named; of that with `rows` only those from the first
        number up to the second, which is excluded."""
        query = {"name": tensor} if tensor else {}
        if rows is not None:
            query["rows"] = f"{rows[0]}:{rows[1]}"
        return (yield from json_of(Call("GET", version_path(name, version, "state_dict"), query=query)))

    @operation
    def state_dict_file(self, name: str, version: Version, path: FilePath) -> Steps[Path]:
        """Saves the tensors of a version as a safetensors file."""
        headers = {"Accept": "application/x-safetensors"}
        call = Call("GET", version_path(name, version, "state_dict"), headers=headers, live=True)
        return (yield from save(call, path))

    @operation
    def plot(self, name: str, version: Version, plot: str, format: str = "png") -> Steps[Plot]:  # noqa: A002 - the API's word
        """A plot of a version (data, predictions, learning_curve …) as `png`, `svg` or `json`."""
        return (yield from plot_of(name, version, plot, format))

    @operation
    def card(self, name: str, version: Version, format: Literal["markdown", "html"] = "markdown") -> Steps[str]:  # noqa: A002
        """The model card of a version: Markdown, or a page that contains its plots."""
        return (yield from card_of(name, version, format))

    @operation
    def lineage(self, name: str, version: Version) -> Steps[Lineage]:
        """What a version comes from: its data, job and initial versions; its exports; and the versions that come from it."""
        return Lineage((yield from json_of(Call("GET", version_path(name, version, "lineage")))))

    @operation
    def compare(self, name: str, a: Version, b: Version) -> Steps[Comparison]:
        """The differences of two versions of a model, their metrics side by side, and the distances of their tensors."""
        query = {"a": a, "b": b}
        call = Call("GET", address("models", name, "compare"), query=query, timeout=_COMPARE_SECONDS)
        return Comparison((yield from json_of(call)))

    @operation
    def drift(self, name: str, version: Version | None = None, *, hours: int = 24) -> Steps[Drift]:
        """How far the rows that a version has predicted in the last hours are from those that it was trained on; of the version
        that predicts, unless one is given."""
        query = {"hours": str(hours)} | ({} if version is None else {"version": str(version)})
        return Drift((yield from json_of(Call("GET", address("models", name, "drift"), query=query))))

    @operation
    def download_bundle(self, name: str, version: Version, path: FilePath) -> Steps[Path]:
        """Saves a version with everything that belongs to it as one file."""
        return (yield from save(Call("GET", version_path(name, version, "bundle"), live=True), path))

    @operation
    def download_export(self, name: str, version: Version, export: str, path: FilePath | None = None) -> Steps[Path]:
        """Saves an export of a version (safetensors, state_dict, torch_export, onnx, huggingface): a file that loads without
        Modelwright. Without `path` it gets the name that the service suggests, in the current folder."""
        return (yield from save(export_call(name, version, export), path))

    @operation
    def upload_bundle(self, name: str, path: FilePath) -> Steps[Published]:
        """Adds a bundle as the model's next version; a version with the same digest is returned as it is."""
        headers = {"Content-Type": "application/zip"}
        call = Call("POST", address("models", name, "versions"), headers=headers, content=Path(path))
        return Published((yield from json_of(call)))

    @operation
    def signature(self, name: str, version: Version) -> Steps[bytes]:
        """The signature of a version, in the format of OpenSSF model-signing; not verified."""
        response: httpx.Response = yield Call("GET", version_path(name, version, "signature"))
        return response.content

    @operation
    def bom(self, name: str, version: Version) -> Steps[Json]:
        """The bill of materials of a version (CycloneDX 1.6): the model, its files, its data and the software that trained it."""
        return (yield from json_of(Call("GET", version_path(name, version, "bom"))))
