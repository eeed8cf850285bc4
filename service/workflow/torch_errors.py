"""torch's error messages about arguments and layers. No other library's messages reach clients: these are about names that
clients wrote."""

import re

LONGEST = 200
# In messages about torch's source, its memory or an internal check.
_INSIDE = re.compile(r"INTERNAL ASSERT|0x[0-9a-fA-F]|(?:^|[\s\"'(])/\w|\.(?:py|cpp|cu|h)\b|Traceback|NYI")


def torch_message(error: BaseException) -> str:
    """The first line of the message if it is about the arguments, else a general one."""
    message = str(error).strip().split("\n", 1)[0][:LONGEST]
    if not message or _INSIDE.search(message):
        message = "torch cannot do this"
    return f"its arithmetic fails ({message})" if isinstance(error, ArithmeticError) else message
