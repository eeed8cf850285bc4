"""The networks of our kinds of models, described by the modules of torch.nn and of `modeling_networks.py`, which builds them."""

from torch import nn

from service.workflow import losses
from service.workflow.errors import ExportFailed
from service.workflow.exports.export import Source
from service.workflow.exports.huggingface.encoder_architecture import Description, describe_module
from service.workflow.models import LinearRegressionSpec
from service.workflow.models.bag import networks_of
from service.workflow.models.encoder_kind import EncoderKind
from service.workflow.models.fusion import FusionSpec
from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.layers import LayersSpec
from service.workflow.models.logistic_regression import LogisticRegressionSpec
from service.workflow.models.mlp import MLPSpec
from service.workflow.models.number_embedding import WIDTH
from service.workflow.models.tabm import TabMSpec
from service.workflow.preprocessing import network_inputs
from service.workflow.spec_base import shown


def describe(source: Source) -> Description:
    """The network of a version, which may be a bag of several.

    Raises:
        ExportFailed: it is a plug-in's, whose code is not ours to give away.
    """
    inputs = network_inputs(source.signature.inputs, source.model.preprocessing)
    output = losses.output_of(source.spec.loss)
    outputs = losses.width(output, len(source.signature.outputs), len(source.signature.classes))
    head = losses.head(output)
    networks = networks_of(source.model.network)
    if len(networks) > 1:
        return {
            "name": "BagOfNetworks",
            "layers": [_describe(source, each, inputs, outputs, head) for each in networks],
        }
    return _describe(source, networks[0], inputs, outputs, head)


def _describe(
    source: Source, network: nn.Module, inputs: InputShapes, outputs: int, head: nn.Module | None
) -> Description:
    match source.spec.model:
        case LinearRegressionSpec():
            weight = [inputs.features] if outputs == 1 else [outputs, inputs.features]
            return {"name": "LinearModel", "weight": weight, "outputs": outputs, "head": _head(head)}
        case LogisticRegressionSpec():
            weight = [outputs, inputs.features]
            return {"name": "LinearModel", "weight": weight, "outputs": outputs, "head": _head(head)}
        case MLPSpec() as kind:
            return {"name": "Sequential", "layers": [*_mlp(kind, inputs.features, outputs), *_heads(head)]}
        case TabMSpec() as kind:
            return {"name": "TabM", **_tabm(kind, inputs, outputs), "head": _head(head)}
        case LayersSpec() as kind:
            return {"name": "Sequential", "layers": _layers(kind, inputs, outputs, head)}
        case EncoderKind() | FusionSpec():
            try:
                return describe_module(network)
            except LookupError as error:  # a plug-in may bring an encoder
                what = f"the network has the module {shown(str(error.args[0]))}, which comes"
        case other:
            what = f"models of the kind {shown(other.kind)} come"
    raise ExportFailed(f"{what} from a plug-in, whose code is not exported; the export state_dict has its tensors")


def _head(head: nn.Module | None) -> Description:
    """The head that a loss requires, or a module without effect."""
    dim = {"dim": head.dim} if isinstance(head, nn.LogSoftmax) else {}
    return {"name": "Identity" if head is None else type(head).__name__, **dim}


def _heads(head: nn.Module | None) -> list[Description]:
    return [] if head is None else [_head(head)]


def _mlp(kind: MLPSpec, features: int, outputs: int) -> list[Description]:
    layers: list[Description] = []
    before = features
    for width in kind.hidden:
        layer: list[Description] = [{"name": "Linear", "in_features": before, "out_features": width}]
        if kind.normalization is not None:
            of = "num_features" if kind.normalization == "BatchNorm1d" else "normalized_shape"
            layer.append({"name": kind.normalization, of: width})
        layer.append({"name": kind.activation})
        if kind.dropout:
            layer.append({"name": "Dropout", "p": kind.dropout})
        layers += [{"name": "Residual", "layers": layer}] if kind.residual and before == width else layer
        before = width
    return [*layers, {"name": "Linear", "in_features": before, "out_features": outputs}]


def _tabm(kind: TabMSpec, inputs: InputShapes, outputs: int) -> Description:
    sizes = {"width": kind.width, "blocks": kind.blocks, "members": kind.members, "dropout": kind.dropout}
    if not (kind.bins and inputs.normalized):
        return {"features": inputs.features, "outputs": outputs, **sizes}
    embedding = {"name": "NumberEmbedding", "numbers": inputs.normalized, "bins": kind.bins}
    features = inputs.features + (WIDTH - 1) * inputs.normalized
    return {"features": features, "outputs": outputs, **sizes, "embedding": embedding}


def _layers(kind: LayersSpec, inputs: InputShapes, outputs: int, head: nn.Module | None) -> list[Description]:
    layers = [{"name": name, **arguments} for name, arguments in kind.resolved(inputs, outputs)]
    return layers if head is None or layers[-1]["name"] == type(head).__name__ else [*layers, _head(head)]
