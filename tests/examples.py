"""How many examples property tests try: as many as they say, and EXAMPLES_TIMES as many if it is set, as scripts/nightly does."""

import os

from hypothesis import settings

TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))
USUAL = 100  # of a test that does not say

settings.register_profile("so-many-times", max_examples=USUAL * TIMES)
settings.load_profile("so-many-times")


def examples(usual: int) -> int:
    """So many in scripts/test."""
    return usual * TIMES
