"""What torch says of arguments and layers that it refuses: the one library whose text is told on, for it is about what the
client wrote in torch's own names."""

import re

LONGEST = 200
# Where torch speaks of itself: of its source, its memory, or a check of its own that failed.
_INSIDE = re.compile(r"INTERNAL ASSERT|0x[0-9a-fA-F]|(?:^|[\s\"'(])/\w|\.(?:py|cpp|cu|h)\b|Traceback|NYI")


def torch_message(error: BaseException) -> str:
    """The first line of what torch says, where that is about the arguments."""
    said = str(error).strip().split("\n", 1)[0][:LONGEST]
    if not said or _INSIDE.search(said):
        said = "torch cannot do this"
    return f"its arithmetic fails ({said})" if isinstance(error, ArithmeticError) else said
