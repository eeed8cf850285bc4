"""Path converters that exclude other routes: `/v1/models/line:predict` is not the model `line:predict`, and `validate` is not
a job. With them each path belongs to one path template of OpenAPI."""

from starlette.convertors import StringConvertor, register_url_convertor


class _Noun(StringConvertor):
    regex = "[^/]+(?<!:predict)(?<!:explain)"


class _JobId(StringConvertor):
    regex = "(?!validate$)[^/]+"


register_url_convertor("noun", _Noun())
register_url_convertor("job_id", _JobId())
JOB_ID = "{job_id:job_id}"


def noun(parameter: str) -> str:
    """The last segment of a route's path: a parameter that does not end with `:predict` or `:explain`."""
    return f"{{{parameter}:noun}}"
