"""How the texts of one input become ids."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.workflow.data.table import Numbers
from service.workflow.data.texts.byte_pairs import byte_pair_ids, vocabulary_of
from service.workflow.data.texts.ngrams import ngram_ids

EncodingName = Literal["ngrams", "bpe"]
MOST_BUCKETS = 2**20
LARGEST_NGRAM = 8  # characters
MOST_MERGES = 2**20  # characters of the lines of a vocabulary's merges


class TextEncoding(BaseModel):
    """The encoding in a model's signature: hashed n-grams of `ngrams` (smallest, largest) characters into `buckets` ids, or
    byte pairs of the vocabulary that `merges` describe, one a line (None before training)."""

    model_config = ConfigDict(frozen=True)

    encoding: EncodingName
    ngrams: list[int] | None = None
    buckets: int | None = None
    vocabulary: int | None = None  # the number of ids, of which 0 fills up what is shorter
    merges: str | None = None

    @property
    def ids(self) -> int:
        """How many different ids there are."""
        return (self.buckets if self.encoding == "ngrams" else self.vocabulary) or 1

    def encode(self, texts: Sequence[str], length: int) -> Numbers:
        """The ids of texts, int32 [n, length]; 0 fills up what is shorter."""
        if self.encoding == "ngrams":
            smallest, largest = self.ngrams or (1, 1)
            return ngram_ids(texts, (smallest, largest), self.ids, length)
        return byte_pair_ids(texts, self.merges or "", length)

    def fault(self) -> str | None:
        """What is wrong with an encoding that a manifest of elsewhere has; None if nothing is."""
        if self.encoding == "ngrams":
            sizes = self.ngrams or []
            if len(sizes) != 2 or not 1 <= sizes[0] <= sizes[1] <= LARGEST_NGRAM:
                return f"`ngrams` are the smallest and the largest number of characters, 1 to {LARGEST_NGRAM}"
            return None if 2 <= self.ids <= MOST_BUCKETS else f"`buckets` are 2 to {MOST_BUCKETS}"
        if self.merges is None or len(self.merges) > MOST_MERGES:
            return f"`merges` has the lines of a vocabulary, of at most {MOST_MERGES} characters"
        return self._fault_of_merges(self.merges)

    def _fault_of_merges(self, merges: str) -> str | None:
        known = vocabulary_of(merges)
        for line in merges.splitlines():
            left, _, right = line.partition(" ")
            if left not in known or right not in known:
                return "each line of `merges` has two pieces of the vocabulary with a space between them"
        size = len(known) + 1
        return None if self.vocabulary == size else f"`vocabulary` is {size}, with the id 0 and the bytes"
