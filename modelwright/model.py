"""A model and a version of it as objects: what they are, and what can be done with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx

from modelwright.calls import Version, as_it_is, json_of, pages, path, version_path
from modelwright.downloads import FilePath, save
from modelwright.drivers import Awaiting, Waiting
from modelwright.errors import ModelwrightError
from modelwright.json_types import Json
from modelwright.methods import OfAsyncClient, OfClient, operation, returns, yields
from modelwright.plots import Plot
from modelwright.predictions import explanations
from modelwright.results import Alias, Explanations, Importance, Lineage, Parameters, Problem, Result, Within
from modelwright.steps import Call, Steps, Stream

CARD_SECONDS = 30  # that the service may take to draw the plots of a page
EXPORT_SECONDS = 60  # that it may take to write an export


class ModelMethods(Result):
    """What can be done with a model, or with a version of one."""

    name: str

    def __init__(self, client: Waiting | Awaiting, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.__dict__["client"] = client

    @property
    def opened(self) -> Version:
        """The version whose parameters, plots, exports and card are meant."""
        raise NotImplementedError

    @property
    def promoted(self) -> int:
        """The version at which `promote` points an alias."""
        raise NotImplementedError

    def _predicting(self) -> str:
        raise NotImplementedError

    @property
    def _explaining(self) -> Version | None:
        raise NotImplementedError

    @operation
    def predict(self, data: Any, *, interval: float | None = None) -> Steps[Any]:
        """Predictions for rows, in the kind of data that the rows are given in.

        Args:
            data: a list of rows (lists in the order of the inputs, or dictionaries), columns as a dictionary of lists: a list
                of predictions; one row as a dictionary: one prediction. A DataFrame of pandas or polars: a DataFrame, with a
                column for each target, or a label and the probability of each class. An array of numpy or a tensor of torch
                with numbers, [rows, inputs], or [rows] for one input, or values that have a shape, such as pixels
                [rows, channels, height, width]: [rows], [rows, targets], or the probabilities [rows, classes] in sorted order.
                A text, or a file, for a model with one such input: one prediction. A file is a `pathlib.Path`, bytes, or an
                image of Pillow, and may also be a value in rows and columns; a string is always a text.
            interval: a probability, such as 0.9: each prediction, for rows in any form, is then a dictionary, `{"prediction",
                "interval"}` or `{"label", "probabilities", "set"}`, whose interval or set has the truth with this probability.
                The version must have been trained with `split.calibration`.

        Raises:
            UnusableData: it is none of these.
            OSError: a file cannot be read.
            InvalidInstances: the rows do not fit the model; `errors` points at them.
            NotAvailable: the version has no intervals, or none of this level.
        """
        from modelwright.rows import exchange_of  # not needed by those who only look

        exchange, query = exchange_of(data), {}
        if interval is not None:
            exchange, query = exchange.as_json(), {"interval": interval}
        headers = {"Content-Type": exchange.media_type, "Accept": exchange.accept}
        response: httpx.Response = yield Call(
            "POST", self._predicting(), query=query, headers=headers, content=exchange.content, repeatable=True
        )
        return exchange.read(response)

    @operation
    def explain(self, data: Any, *, label: Any = None, target: str | None = None) -> Steps[Explanations]:
        """What each input adds to the answers to at most 100 rows.

        Args:
            data: a list of rows, one row or columns as a dictionary, a DataFrame, or an array or tensor of numbers, as `predict`
                takes them.
            label: the class whose probability is explained, in place of the predicted one.
            target: the only one of several targets or labels that is explained.

        Raises:
            UnusableData: `data` is none of these.
            InvalidInstances: the rows do not fit the model; `errors` points at them.
        """
        from modelwright.rows import document_of  # not needed by those who only look

        return (yield from explanations(self.name, self._explaining, document_of(data), label, target))

    @operation
    def promote(self, alias: str = "production") -> Steps[Alias]:
        """Points an alias at this version (of a model: at its latest one); predictions without a version use `production`."""
        call = Call("PUT", path("models", self.name, "aliases", alias), json={"version": self.promoted})
        return Alias((yield from json_of(call)))

    @operation
    def parameters(self, *, statistics: bool = True) -> Steps[Parameters]:
        """Each parameter with its shape and, unless `statistics` is false, statistics of its values."""
        query = {} if statistics else {"statistics": "false"}
        call = Call("GET", version_path(self.name, self.opened, "parameters"), query=query)
        return Parameters((yield from json_of(call)))

    @operation
    def state_dict(self, tensor: str | None = None) -> Steps[Json]:
        """The tensors as nested lists, or just the one that is named."""
        query = {"name": tensor} if tensor else {}
        return (yield from json_of(Call("GET", version_path(self.name, self.opened, "state_dict"), query=query)))

    @operation
    def export(self, export: str, file: FilePath | None = None) -> Steps[Path]:
        """Saves an export: safetensors, state_dict, torch_export, onnx or huggingface; without a path under the name that the
        service suggests, in the current folder."""
        return (yield from save(export_call(self.name, self.opened, export), file))

    @operation
    def card(self, format: Literal["markdown", "html"] = "markdown") -> Steps[str]:  # noqa: A002 - the API's word
        """The model card: Markdown, or a page that contains its plots."""
        return (yield from card_of(self.name, self.opened, format))

    @operation
    def plot(self, plot: str, format: str = "png") -> Steps[Plot]:  # noqa: A002 - the API's word
        """A plot (data, predictions, residuals, learning_curve, importance, parameters, filters, confusion, roc,
        precision_recall, calibration; the manifest lists the version's `plots`) as `png`, `svg` or `json`."""
        return (yield from plot_of(self.name, self.opened, plot, format))

    @operation
    def lineage(self) -> Steps[Lineage]:
        """What the version comes from, and what comes from it."""
        return Lineage((yield from json_of(Call("GET", version_path(self.name, self.opened, "lineage")))))

    @yields(lambda: (ModelVersion, AsyncModelVersion))
    def versions(self) -> Stream[Json]:
        """All versions of the model, newest first."""
        yield from pages(as_it_is, path("models", self.name, "versions"), "version")


class VersionBase(ModelMethods):
    """A version of a model. Those of a list have no `spec`, `signature`, `files`, `environment` and `importance`: `refresh` reads
    them. Versions from before it was recorded have no `importance` either."""

    within: ClassVar[Within] = {"error": Problem, "importance": Importance}
    version: int
    digest: str | None
    created_at: str | None
    aliases: list[str]
    metrics: dict[str, Any] | None
    job: str | None
    error: Problem | None
    spec: dict[str, Any]
    signature: dict[str, Any]
    files: dict[str, Any]
    environment: dict[str, Any]
    slices: dict[str, Any]  # only of versions with groups of rows to tell apart
    importance: Importance
    warnings: list[str]  # about the data; only of versions with some
    baseline: dict[str, Any]  # the row from which answers are explained; of older versions none
    conformal: dict[str, Any]  # the scores of the calibration part, if there is one
    threshold: dict[str, Any]  # of two classes, if the spec asks for one

    @property
    def opened(self) -> Version:
        """This version."""
        return self.version

    @property
    def promoted(self) -> int:
        """This version."""
        return self.version

    def _predicting(self) -> str:
        return version_path(self.name, self.version, "predictions")

    @property
    def _explaining(self) -> Version | None:
        return self.version

    @returns(lambda: (ModelVersion, AsyncModelVersion))
    def refresh(self) -> Steps[Json]:
        """Asks the service for the whole manifest and the aliases as they are now; returns the version itself."""
        self.take((yield from json_of(Call("GET", version_path(self.name, self.version)))))
        return self

    def _repr_html_(self) -> str:
        """The version as a notebook shows it."""
        from modelwright import notebook  # which only notebooks need

        return notebook.version(self)


class ModelBase(ModelMethods):
    """A model, by its latest version. Its predictions are those of the version in use, as the service sees it: that of the alias
    `production`, else the latest; the other methods mean the same version, as it was when this was read."""

    within: ClassVar[Within] = {"error": Problem}
    latest: int | None
    aliases: dict[str, int | None]
    metrics: dict[str, Any] | None
    created_at: str | None
    error: Problem | None

    @property
    def version_count(self) -> int:
        """How many versions there are; `versions()` gives them."""
        count: int = self["versions"]
        return count

    @property
    def opened(self) -> Version:
        """The version in use."""
        return self.aliases.get("production") or "latest"

    @property
    def promoted(self) -> int:
        """The latest version."""
        if self.latest is None:
            raise ModelwrightError(f"The latest version of {self.name} is not known; refresh() asks the service again.")
        return self.latest

    def _predicting(self) -> str:
        return path("models", self.name, "predictions")

    @property
    def _explaining(self) -> Version | None:
        return None

    @returns(lambda: (Model, AsyncModel))
    def refresh(self) -> Steps[Json]:
        """Asks the service how the model is now; returns the model itself."""
        self.take((yield from json_of(Call("GET", path("models", self.name)))))
        return self

    @returns(lambda: (ModelVersion, AsyncModelVersion))
    def version(self, version: Version = "latest") -> Steps[Json]:
        """A version by its number or alias, with its whole manifest."""
        return (yield from json_of(Call("GET", version_path(self.name, version))))

    def _repr_html_(self) -> str:
        """The model as a notebook shows it."""
        from modelwright import notebook  # which only notebooks need

        return notebook.model(self)


class ModelVersion(VersionBase, OfClient):
    """A version of a model, of a `Client`."""


class AsyncModelVersion(VersionBase, OfAsyncClient):
    """A version of a model, of an `AsyncClient`: the same methods, to be awaited."""


class Model(ModelBase, OfClient):
    """A model of a `Client`."""


class AsyncModel(ModelBase, OfAsyncClient):
    """A model of an `AsyncClient`: the same methods, to be awaited."""


def export_call(name: str, version: Version, export: str) -> Call:
    """The download of an export."""
    return Call("GET", version_path(name, version, "exports", export), timeout=EXPORT_SECONDS, live=True)


def card_of(name: str, version: Version, format: str) -> Steps[str]:  # noqa: A002 - the API's word
    """The model card of a version."""
    headers = {"Accept": f"text/{format}"}
    response: httpx.Response = yield Call(
        "GET", version_path(name, version, "card"), headers=headers, timeout=CARD_SECONDS
    )
    return response.text


def plot_of(name: str, version: Version, plot: str, format: str) -> Steps[Plot]:  # noqa: A002 - the API's word
    """A plot of a version."""
    response: httpx.Response = yield Call("GET", version_path(name, version, "plots", f"{plot}.{format}"))
    return Plot(response.content, format)
