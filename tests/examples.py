"""The number of examples of property tests, multiplied by EXAMPLES_TIMES, which scripts/nightly sets."""

import os

from hypothesis import settings

TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))
USUAL = 100  # of a test that gives no number

settings.register_profile("so-many-times", max_examples=USUAL * TIMES)
settings.load_profile("so-many-times")


def examples(usual: int) -> int:
    """This number in scripts/test."""
    return usual * TIMES
