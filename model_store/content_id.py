"""Ids that are random and give their age."""

import re
import uuid
from datetime import datetime

_CONTENT = re.compile(r"[0-9a-f]{32}")


def is_content(name: str) -> bool:
    """Whether this may be the id of a content."""
    return _CONTENT.fullmatch(name) is not None


def new_content_id(now: datetime) -> str:
    """A random id of 32 hex digits that begins with the milliseconds since 1970."""
    return f"{int(now.timestamp() * 1000):012x}{uuid.uuid4().hex[:20]}"


def is_made_by(content: str, moment: datetime) -> bool:
    """Whether `new_content_id` made this id at that moment or before, to the millisecond."""
    return int(content[:12], 16) <= moment.timestamp() * 1000
