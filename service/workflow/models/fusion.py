"""An encoder for each input, joined: the default for several inputs, such as a picture and the columns of a table."""

from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from torch import Tensor, nn

from service.workflow.data.texts.encoding import EncodingName
from service.workflow.errors import invalid, step
from service.workflow.models.defaults import TABLE, default_for
from service.workflow.models.encoder_kind import EncoderKind, Headed, check_fit, hidden_layers
from service.workflow.models.encoders import Encoder
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.kind import ModelKind
from service.workflow.models.mlp import MLPSpec, Width
from service.workflow.models.recipes import one_cycle
from service.workflow.spec_base import nearest, shown
from service.workflow.tasks import Task

RATE, WEIGHT_DECAY, SMOOTHING = 0.005, 0.05, 0.05


class _Encoders:
    """A kind of model whose encoder is used: of the table of kinds, which does not exist yet when this annotation is read."""

    @staticmethod
    def _parse(value: object, info: ValidationInfo) -> ModelKind:
        from service.workflow.models import kind_of

        return kind_of(value, info)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._parse, serialization=core_schema.plain_serializer_function_ser_schema(lambda kind: kind.model_dump())
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "object", "description": "a kind of model, as above, that has an encoder"}


class FusionSpec(ModelKind):
    """An encoder for each input, of the kind of model that is the default for it (`mlp` for the columns of a table, which are
    named `features` together), joined by fully connected layers.

    For classes and labels each encoder has a head of its own as well, which learns by its own loss, and the answer is the mean
    of all heads' probabilities (late fusion: Wang, Tran, Feiszli: "What makes training multi-modal classification networks
    hard?", CVPR 2020, arXiv 1905.12681): else the input that is learned first leaves the others nothing to learn.

    Training defaults: `one_cycle` of `recipes.py` with the work of all encoders together, a learning rate of 0.005, weight
    decay 0.05, and label smoothing 0.05 for classes.
    """

    kind: Literal["fusion"] = "fusion"
    encoders: dict[str, Annotated[ModelKind, _Encoders]] | None = Field(
        default=None, max_length=256, description="the kind of model that is the encoder of an input, by its name"
    )
    own_heads: bool | None = Field(
        default=None, description="whether each encoder also has a head of its own: by default for classes and labels"
    )
    hidden: list[Width] = Field(default=[128], max_length=64, description="the width of each layer that joins them")
    dropout: float = Field(default=0.1, ge=0, lt=1)

    def text_encoding(self, name: str) -> EncodingName:
        """That of the input's encoder."""
        given = (self.encoders or {}).get(name)
        return "ngrams" if given is None else given.text_encoding(name)

    def for_task(self, task: Task) -> Self:
        """With the default for its heads: the mean of numbers would be no better than its worst part."""
        own = task is not Task.REGRESSION if self.own_heads is None else self.own_heads
        return self.model_copy(update={"own_heads": own})

    def sized(self, rows: int, inputs: InputShapes) -> Self:
        """With an encoder for each input, and its sizes."""
        given, made = self.encoders or {}, {}
        for name in given:
            if name not in inputs.by_name:
                message = f"there is no input {shown(name)}; {nearest(name, list(inputs.by_name))}"
                raise invalid(f"/model/encoders{step(name)}", message)
        for name, of in inputs.by_name.items():
            kind = given.get(name) or default_encoder(of)
            pointer = f"/model/encoders{step(name)}/kind"
            if not isinstance(kind, EncoderKind):
                raise invalid(pointer, f"{kind.kind} has no encoder; {default_encoder(of).kind} has one")
            check_fit(kind, name, of, pointer)
            made[name] = kind.sized(rows, InputShapes({name: of}))
        return self.model_copy(update={"encoders": made})

    def training_defaults(self, rows: int, inputs: InputShapes) -> dict[str, Any]:
        """By the formulas above."""
        kinds = self.sized(rows, inputs).encoders or {}
        work = sum(each.work(inputs.by_name[name]) for name, each in kinds.items() if isinstance(each, EncoderKind))
        return {**one_cycle(rows, work, RATE, WEIGHT_DECAY), "loss": {"label_smoothing": SMOOTHING}}

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """The joined encoders, fully connected layers, a Linear and the head."""
        kinds, encoders = self.sized(1, inputs).encoders or {}, []
        for name, of in inputs.by_name.items():
            kind = kinds[name]
            assert isinstance(kind, EncoderKind)  # noqa: S101 - as `sized` has checked
            encoders.append(kind.encoder(of))
        joined = Joined(list(inputs.by_name), encoders)
        layers = hidden_layers(joined.width, self.hidden, self.dropout)
        if self.own_heads and len(encoders) > 1:
            return EachHeaded(joined, layers, outputs, head, self.dropout)
        return Headed(joined, layers, joined.width, outputs, head)


def default_encoder(of: InputTensor) -> EncoderKind:
    """The kind whose encoder an input has by default."""
    from service.workflow.models import KINDS

    kind = default_for(of)
    made = MLPSpec() if kind == TABLE else KINDS[kind].model_validate({})
    assert isinstance(made, EncoderKind)  # noqa: S101 - the default kinds for values with a shape are
    return made


class Joined(Encoder):
    """The answers of several encoders, each normalised, one beside another: [n, the sum of their widths].

    Args:
        names: of the inputs; one is taken as its tensor, several as a dict of tensors by name.
        encoders: one for each name.
    """

    def __init__(self, names: list[str], encoders: list[Encoder]) -> None:
        super().__init__()
        self.names = names
        self.width = sum(each.width for each in encoders)
        self.encoders = nn.ModuleList(encoders)
        self.norms = nn.ModuleList(nn.LayerNorm(each.width) for each in encoders)

    def forward(self, x: Tensor | dict[str, Tensor]) -> Tensor:
        """From the inputs to [n, width]."""
        return torch.cat(self.answers(x), dim=1)

    def answers(self, x: Tensor | dict[str, Tensor]) -> list[Tensor]:
        """The normalised answers of each encoder, [n, its width]."""
        given = {self.names[0]: x} if isinstance(x, Tensor) else x
        parts = zip(self.names, self.encoders, self.norms, strict=True)
        return [norm(encoder(given[name])) for name, encoder, norm in parts]


class EachHeaded(Headed):
    """Joined encoders with layers to the outputs, and a head on each encoder: an ensemble whose first member sees all inputs, and
    each other one only its own. From the inputs to [members · n, outputs], member after member."""

    encoder: Joined

    def __init__(
        self, joined: Joined, layers: list[nn.Module], outputs: int, head: nn.Module | None, dropout: float
    ) -> None:
        super().__init__(joined, layers, joined.width, outputs, head)
        self.members = 1 + len(joined.encoders)
        ends: list[nn.Module] = [] if head is None else [head]
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Dropout(dropout), nn.Linear(each.normalized_shape[0], outputs), *ends)
            for each in joined.norms
            if isinstance(each, nn.LayerNorm)
        )

    def forward(self, x: Any) -> Tensor:
        """From the inputs to [members · n, outputs]."""
        answers = self.encoder.answers(x)
        own = [head(answer) for head, answer in zip(self.heads, answers, strict=True)]
        return torch.cat([self.output(torch.cat(answers, dim=1)), *own])
