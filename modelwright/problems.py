"""Every error of the service as an exception of its own, by its code, and what to do about it."""

from collections.abc import Mapping, Sequence

from modelwright.errors import ApiError


class Unauthorized(ApiError):
    """The service wants a key, and this one is not valid."""

    next_step = "Give a key: Client(url, api_key=…); `modelwright keys create NAME --scope train` makes one."


class Forbidden(ApiError):
    """The key may not do this, or the request came from a page that may not."""

    next_step = "Use a key with a wider scope: predict, train, admin; `modelwright keys create` makes one."


class NotFound(ApiError):
    """There is nothing at this address."""

    next_step = "Compare the version of the service with that of this client: a call may be new, or gone."


class ModelNotFound(NotFound):
    """There is no model of this name."""

    next_step = "client.models() lists the models."


class VersionNotFound(NotFound):
    """The model has no such version or alias."""

    next_step = "client.versions(name) lists the versions, client.aliases(name) the aliases."


class JobNotFound(NotFound):
    """There is no training job with this id."""

    next_step = "client.jobs() lists the jobs; those that ended long ago are deleted."


class SweepNotFound(NotFound):
    """There is no sweep with this id."""

    next_step = "client.sweeps() lists the sweeps; those that ended long ago are deleted."


class DatasetNotFound(NotFound):
    """There is no data set of this name."""

    next_step = "client.datasets() lists the data sets; client.upload_dataset(name, file) makes one."


class KeyNotFound(NotFound):
    """There is no key with this name or id."""

    next_step = "client.keys() lists the keys."


class UploadNotFound(NotFound):
    """There is no such upload: it was imported or deleted, or has expired."""

    next_step = "Begin a new upload: client.create_upload(length)."


class RetentionNotFound(NotFound):
    """The model has no retention rule."""

    next_step = "client.set_retention(name, last=20) makes one."


class NotAvailable(NotFound):
    """This version has no such plot or export, or the service lacks what makes it."""

    next_step = "The message names what is available, or the package that the service lacks."


class PredictionNotFound(NotFound):
    """The log of predictions does not have this request."""

    next_step = (
        "Give the Request-Id of the response; with a share below 1 only some requests are kept, and not for ever."
    )


class PredictionLogOff(ApiError):
    """The service does not log predictions."""

    next_step = "The operator sets MODELWRIGHT_PREDICTION_LOG to the share of requests to keep, such as 1."


class MethodNotAllowed(ApiError):
    """This address does not take this method."""

    next_step = "Compare the version of the service with that of this client."


class NotAcceptable(ApiError):
    """The service does not write the format that was asked for."""

    next_step = "Ask for one of the formats in the message."


class InvalidJson(ApiError):
    """The body is not valid JSON."""

    next_step = "Correct the place that the message names; infinite numbers cannot be sent as JSON."


class InvalidRequest(ApiError):
    """A part of the request is not valid."""

    next_step = "Correct what `errors` points at."


class InvalidSpec(ApiError):
    """The spec is not valid."""

    next_step = "Correct what `errors` points at; client.validate(spec) checks a spec without training."


class InvalidInstances(ApiError):
    """Rows do not fit the model."""

    next_step = "client.manifest(name, version).signature has the inputs of the model, in their order."


class InvalidData(ApiError):
    """The file cannot be read as a table."""

    next_step = "Upload it with options of the reading: separator, decimal, encoding, missing, skip_lines, sheet."


class InvalidName(ApiError):
    """A name is not valid."""

    next_step = "Use 1 to 64 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends."


class InvalidBundle(ApiError):
    """The file is not a valid bundle."""

    next_step = "Download the bundle again from the service that has the model."


class MadeByNewer(ApiError):
    """A newer Modelwright has written this."""

    next_step = "Update the service."


class IdempotencyMismatch(ApiError):
    """The Idempotency-Key was used for another spec."""

    next_step = "Use another idempotency_key, or none."


class IllegalTransition(ApiError):
    """The job or alias is in a state that does not allow this."""

    next_step = "Read its state first: client.job(id).status, client.aliases(name)."


class VersionInUse(ApiError):
    """An alias points at the version."""

    next_step = "Move or delete the alias first: client.set_alias(…), client.delete_alias(…)."


class ExportFailed(ApiError):
    """The version could not be exported, or the export did not predict what the version does."""

    next_step = "Try another export: safetensors and state_dict work for every model."


class UploadConflict(ApiError):
    """The upload has another offset than the request, or is not complete."""

    next_step = "client.upload(id).offset says where to go on."


class KeyExists(ApiError):
    """A key of this name exists."""

    next_step = "Choose another name, or revoke the key first: client.revoke_key(name)."


class NotSigned(ApiError):
    """No trusted key has signed the version."""

    next_step = "Ask the operator, who decides by MODELWRIGHT_REQUIRE_SIGNATURES, or sign it: `modelwright sign`."


class PreconditionFailed(ApiError):
    """It was changed by someone else meanwhile."""

    next_step = "Read it again, and decide again."


class TooLarge(ApiError):
    """The request or its response is too large."""

    next_step = "Send it in smaller parts; the message names the limit."


class UnsupportedMediaType(ApiError):
    """The service does not read this format."""

    next_step = "Send one of the formats in the message."


class RangeNotSatisfiable(ApiError):
    """The file ends before the range that was asked for."""

    next_step = "Download it from its beginning."


class Overloaded(ApiError):
    """The service has too much to do now."""

    next_step = "Try again after `retry_after` seconds, with fewer requests at a time."


class Unavailable(ApiError):
    """The service cannot do this now."""

    next_step = "Try again later; the operator finds the reason in the log of the service."


class VersionCorrupt(ApiError):
    """Files of the version are damaged."""

    next_step = "Use another version, or restore the store; `modelwright store verify` names what is damaged."


class JournalDamaged(ApiError):
    """The record of a job is damaged."""

    next_step = "`modelwright journal verify` names what is damaged."


class NoSpace(ApiError):
    """The disk or the database of the service is full."""

    next_step = "Free space: delete versions and data sets, or set a retention rule."


class DeadlineExceeded(ApiError):
    """The prediction was not ready in time."""

    next_step = "Send fewer rows at a time."


class PredictionFailed(ApiError):
    """The model has raised an error."""

    next_step = "Look into the log of the service for this `request_id`."


class Internal(ApiError):
    """The service has a fault."""

    next_step = "Report it with the `request_id`, by which the log of the service has the details."


PROBLEMS: dict[str, type[ApiError]] = {
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "model_not_found": ModelNotFound,
    "version_not_found": VersionNotFound,
    "job_not_found": JobNotFound,
    "sweep_not_found": SweepNotFound,
    "dataset_not_found": DatasetNotFound,
    "key_not_found": KeyNotFound,
    "upload_not_found": UploadNotFound,
    "retention_not_found": RetentionNotFound,
    "not_available": NotAvailable,
    "prediction_not_found": PredictionNotFound,
    "prediction_log_off": PredictionLogOff,
    "method_not_allowed": MethodNotAllowed,
    "not_acceptable": NotAcceptable,
    "invalid_json": InvalidJson,
    "invalid_request": InvalidRequest,
    "invalid_spec": InvalidSpec,
    "invalid_instances": InvalidInstances,
    "invalid_data": InvalidData,
    "invalid_name": InvalidName,
    "invalid_bundle": InvalidBundle,
    "made_by_newer": MadeByNewer,
    "idempotency_mismatch": IdempotencyMismatch,
    "illegal_transition": IllegalTransition,
    "version_in_use": VersionInUse,
    "export_failed": ExportFailed,
    "upload_conflict": UploadConflict,
    "key_exists": KeyExists,
    "not_signed": NotSigned,
    "precondition_failed": PreconditionFailed,
    "too_large": TooLarge,
    "unsupported_media_type": UnsupportedMediaType,
    "range_not_satisfiable": RangeNotSatisfiable,
    "overloaded": Overloaded,
    "unavailable": Unavailable,
    "version_corrupt": VersionCorrupt,
    "journal_damaged": JournalDamaged,
    "no_space": NoSpace,
    "deadline_exceeded": DeadlineExceeded,
    "prediction_failed": PredictionFailed,
    "internal": Internal,
}


def problem(
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, str]] = (),
    retry_after: float | None = None,
    request_id: str = "",
) -> ApiError:
    """The exception for a code; that of a newer service, which is not known here, is an `ApiError`."""
    return PROBLEMS.get(code, ApiError)(status, code, detail, errors, retry_after, request_id)
