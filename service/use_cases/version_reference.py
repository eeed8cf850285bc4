"""The reference for drift in a version's manifest."""

import logging

from pydantic import ValidationError

from model_store import Version
from service.workflow.reference import Reference
from service.workflow.signature import Signature

log = logging.getLogger(__name__)


def reference_in(version: Version) -> Reference | None:
    """The reference of a version; None if it has none, as those of earlier releases, or one that does not fit its signature."""
    found = version.manifest.get("reference")
    if found is None:
        return None
    try:
        reference = Reference.model_validate(found)
        reference.check(Signature.model_validate(version.manifest["signature"]))
    except (ValidationError, ValueError) as error:
        log.warning("the reference of %s, version %d, cannot be used: %s", version.name, version.number, error)
        return None
    return reference
