"""Parts of paths that leave alone what has an address of its own: `/v1/models/line:predict` is no model, whatever it is asked,
and `validate` is no job. With them each path belongs to the routes of one address, which is what OpenAPI says, too."""

from starlette.convertors import StringConvertor, register_url_convertor


class _Noun(StringConvertor):
    regex = "[^/]+(?<!:predict)"


class _JobId(StringConvertor):
    regex = "(?!validate$)[^/]+"


register_url_convertor("noun", _Noun())
register_url_convertor("job_id", _JobId())
JOB_ID = "{job_id:job_id}"


def noun(parameter: str) -> str:
    """The last part of a route's path: this parameter, but for what ends with `:predict`."""
    return f"{{{parameter}:noun}}"
