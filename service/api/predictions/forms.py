"""Rows in a form (`multipart/form-data`): a part for each value, with the name of its input; each name repeated for each row."""

from functools import partial

from service.api.errors import InvalidFields
from service.api.form_parts import FormParts, Part, boundary_of
from service.serving.codecs.codec import Decoder, Rows
from service.serving.codecs.instances import check_names, from_texts
from service.serving.codecs.shaped_values import is_file
from service.serving.limits import invalid
from service.serving.warm_models import Warm
from service.workflow.errors import Fault, step

MOST_PARTS = 1000

Values = dict[str, list[bytes | None]]


def decoder(content_type: str) -> Decoder:
    """The decoder of a form with this Content-Type.

    Raises:
        MalformedForm: it names no boundary.
    """
    decode = partial(_decode, boundary_of(content_type))
    return Decoder(decode, _read, in_loop=0, memory_of=lambda body: 2 * len(body))


def _decode(boundary: bytes, body: bytes) -> Values:
    """The bytes of the parts by name.

    Raises:
        MalformedForm: it is no form, or is incomplete.
        InvalidFields: it has no parts, or too many.
    """
    found: Values = {}
    count = 0

    def begin(part: Part) -> None:
        nonlocal count
        count += 1
        if count > MOST_PARTS:
            raise InvalidFields(
                Fault(step(part.name), f"one part too many: at most {MOST_PARTS} are taken in one request")
            )

    def take(part: Part, data: memoryview) -> None:
        part.content += data

    def end(part: Part) -> None:
        # A browser sends an empty part without a name for a file that was not chosen.
        chosen = part.content or part.filename != ""
        found.setdefault(part.name, []).append(bytes(part.content) if chosen else None)
        part.content.clear()

    parts = FormParts(boundary, begin, take, end)
    parts.feed(body)
    parts.check_ended()
    if not found:
        raise InvalidFields(
            Fault("", "the form has no parts; one is expected for each value, as curl -F photo=@cat.jpg sends it")
        )
    return found


def _read(warm: Warm, given: Values) -> Rows:
    """The bytes of a part are a file for an input of files, and else a text as in a query.

    Raises:
        InvalidInstances: what is wrong, by name and row.
    """
    check_names(warm.signature, given)
    files = {each.name for each in warm.signature.inputs if is_file(each)}
    columns = {name: values if name in files else _texts(name, values) for name, values in given.items()}
    return from_texts(warm.signature.with_points, columns, warm.model.fills_missing)


def _texts(name: str, values: list[bytes | None]) -> list[str]:
    texts = []
    for row, value in enumerate(values):
        try:
            texts.append((value or b"").decode())
        except UnicodeDecodeError:
            raise invalid("is not UTF-8", f"{step(name)}/{row}") from None
    return texts
