"""Step 10, share: the model card of a version, as Markdown and as a page. Both escape every text; neither reads anything but what
it is given."""

from service.workflow.card.contents import document
from service.workflow.card.front_matter import front_matter
from service.workflow.card.subject import Subject
from service.workflow.card.to_markdown import to_markdown
from service.workflow.card.to_page import POLICY, to_page

__all__ = ["POLICY", "Subject", "front_matter", "markdown", "page"]


def markdown(subject: Subject) -> str:
    """The model card of a version in GitHub Flavored Markdown."""
    return to_markdown(document(subject))


def page(subject: Subject) -> str:
    """The model card of a version as a page of HTML, to be sent with `POLICY` as its Content-Security-Policy. The plots of the
    subject must be `data:` URLs."""
    return to_page(document(subject))
