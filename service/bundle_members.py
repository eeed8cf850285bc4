"""The members of a bundle that the model store does not know, with the most bytes of each."""

CARD = "card.md"  # the model card, in Markdown
MOST_CARD_BYTES = 2**20
MEMBERS = {CARD: MOST_CARD_BYTES}
