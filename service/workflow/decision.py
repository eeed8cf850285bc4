"""Which class an answer says: the most probable one, or of two classes by the threshold of the signature."""

import numpy as np
from torch import Tensor

from service.workflow.data.table import Numbers
from service.workflow.signature import Signature


def decide(signature: Signature, probabilities: Tensor) -> Tensor:
    """The positions of the classes that the answers [n, classes] say, int64 [n]."""
    if signature.threshold is None:
        return probabilities.argmax(dim=1)
    return (probabilities[:, 1] > signature.threshold).long()


def decide_array(signature: Signature, probabilities: Numbers) -> Numbers:
    """The same of an array."""
    if signature.threshold is None:
        return np.asarray(probabilities.argmax(axis=1))
    return np.asarray(probabilities[:, 1] > signature.threshold, np.int64)
