"""The kind of model of a spec that names none."""

from service.workflow.models.input_shapes import InputShapes, InputTensor

TABLE = "tabm"
FRAMES = 4  # dimensions of a clip: frames, channels, rows, columns


def default_kind(inputs: InputShapes) -> str:
    """The kind for these inputs: `fusion` for several tensors; for one, `text_embedding` for a text, `cnn` for an image and for
    a tensor of 2 or 3 dimensions, `recurrent` for a video and for a tensor of 4, and `tabm` for rows of numbers.
    """
    return "fusion" if len(inputs.by_name) > 1 else default_for(inputs.only)


def default_for(of: InputTensor) -> str:
    """The kind for one input tensor."""
    if of.ids is not None:
        return "text_embedding"
    if len(of.shape) <= 1:
        return TABLE
    return "recurrent" if len(of.shape) >= FRAMES else "cnn"
