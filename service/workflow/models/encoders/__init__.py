"""Encoders: modules from one input tensor [n, *shape] to rows of numbers [n, width], that kinds of models are made of."""

from service.workflow.models.encoders.columns import Columns
from service.workflow.models.encoders.encoder import Encoder
from service.workflow.models.encoders.image import ConvNet, ImageLayout, image_layout
from service.workflow.models.encoders.sequence import Recurrent, Steps
from service.workflow.models.encoders.text import Bag, Tokens
from service.workflow.models.encoders.transformer import Patches, Transformer

__all__ = [
    "Bag",
    "Columns",
    "ConvNet",
    "Encoder",
    "ImageLayout",
    "Patches",
    "Recurrent",
    "Steps",
    "Tokens",
    "Transformer",
    "image_layout",
]
