"""The number of examples of property tests, multiplied by EXAMPLES_TIMES: half in scripts/test, and 10 in scripts/nightly."""

import os

from hypothesis import settings

TIMES = float(os.environ.get("EXAMPLES_TIMES", "0.5"))
USUAL = 100  # of a test that gives no number

settings.register_profile("so-many-times", max_examples=round(USUAL * TIMES))
settings.load_profile("so-many-times")


def examples(usual: int) -> int:
    """This number times EXAMPLES_TIMES, at least 1."""
    return max(1, round(usual * TIMES))
