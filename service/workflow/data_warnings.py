"""Warnings about the data of a training, which the version keeps: its metrics may be better than the model is."""

from torch import Tensor

from service.workflow.data.table import Table
from service.workflow.identifier_columns import warn_of_identifiers
from service.workflow.input_tensors import Tensors
from service.workflow.row_copies import warn_of_copies
from service.workflow.signature import Signature
from service.workflow.split import Split
from service.workflow.target_copies import target_copies, warn_of_target_copies
from service.workflow.telling_features import warn_of_telling_features


def data_warnings(signature: Signature, table: Table, features: Tensors, targets: Tensor, parts: Split) -> list[str]:
    """A sentence for each, with what can be done about it. Rows are compared where all inputs are columns of a table.

    Args:
        features, targets: raw, with as many rows as the table.
    """
    copies = warn_of_copies(features, parts) if isinstance(features, Tensor) else ()
    the_target = target_copies(signature, table, targets)
    return [
        *copies,
        *warn_of_identifiers(signature, table),
        *warn_of_target_copies(the_target, signature.task),
        *warn_of_telling_features(signature, table, targets, parts, the_target),
    ]
