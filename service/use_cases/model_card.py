"""Model cards: what is needed besides the manifest, and the card that is packed into a bundle."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

from model_store import Store, Version
from service.bundle_members import CARD, MOST_CARD_BYTES
from service.use_cases.artifacts import ArtifactFailed, Artifacts
from service.use_cases.draw_plot import draw_all, plots_of
from service.workflow.card import Subject, markdown, page

MOST_SECONDS = 20  # until the page is answered without the plots that are not drawn by then
CUT_OFF = b"\n\nThe card is cut off here: it is too long for a bundle.\n"


def bundled_card(version: Version) -> dict[str, bytes]:
    """The card for a bundle, by its name there. It depends on the digest alone: the bundles of a version that was imported under
    another name or number are the same bytes."""
    text = markdown(Subject(version.manifest, version.digest)).encode()
    if len(text) > MOST_CARD_BYTES:
        text = text[: MOST_CARD_BYTES - len(CUT_OFF)].rpartition(b"\n")[0] + CUT_OFF
    return {CARD: text}


def markdown_card(version: Version, lineage: Mapping[str, Any]) -> str:
    """The card in Markdown. Its plots are links, relative to the address of the card."""
    plots = {plot: f"plots/{plot}.png" for plot in plots_of(version.manifest)}
    return markdown(_subject(version, lineage, plots))


async def page_card(store: Store, plots: Artifacts, version: Version, lineage: Mapping[str, Any]) -> str:
    """The card as a page that contains the plots. Those that take longer than `MOST_SECONDS` are drawn nevertheless, for the next
    request.

    Raises:
        VersionCorrupt: the files of the version that the plots are drawn from are not what was published.
    """
    try:
        images = await asyncio.wait_for(draw_all(plots, store, version), MOST_SECONDS)
    except (ArtifactFailed, TimeoutError):
        images = {}
    addresses = {plot: f"data:image/png;base64,{base64.b64encode(image).decode()}" for plot, image in images.items()}
    return await asyncio.to_thread(page, _subject(version, lineage, addresses))


def _subject(version: Version, lineage: Mapping[str, Any], plots: Mapping[str, str]) -> Subject:
    about = version.manifest, version.digest, version.name, version.number, version.created_at
    return Subject(*about, lineage, plots)
