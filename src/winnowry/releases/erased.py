"""What was erased from a corpus: how many records, when, and where the certificate lies; never which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from winnowry.core.formats import from_bytes

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace

FOLDER = "erasures"


@dataclass(frozen=True)
class Erasure:
    """An erasure, as its document says it.

    Attributes:
        name: its own.
        document: its certificate once it is finished; until then what it needs to go on.
    """

    name: str
    document: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether it is proven that nothing is left."""
        return bool(self.document["state"] == "finished")

    @property
    def erased_at(self) -> str | None:
        """When everything was rewritten; None where it was cut off before."""
        at: str | None = self.document.get("erased_at")
        return at


def certificate_uri(ws: Workspace, corpus: str, name: str) -> str:
    """Where the document of an erasure lies."""
    return f"{ws.lake.corpus_uri(corpus)}/{FOLDER}/{name}.json"


def erasures(ws: Workspace, corpus: str) -> list[Erasure]:
    """Erasures of a corpus, the oldest first."""
    listed = []
    for info in ws.store.list(f"{ws.lake.corpus_uri(corpus)}/{FOLDER}/*.json"):
        document = from_bytes("erasure", info.uri, ws.store.read(info.uri)).content
        listed.append(Erasure(info.uri.rsplit("/", 1)[1].removesuffix(".json"), document))
    return listed


def erased_of(corpus: str, all_erasures: list[Erasure], release: str) -> tuple[dict[str, Any], ...]:
    """What a release lost: for each erasure ``rows``, ``at`` when, and the ``certificate`` from the root.

    Args:
        corpus: the corpus.
        all_erasures: of the corpus.
        release: its numbered name.
    """
    return tuple(
        {
            "rows": erasure.document["releases"][release],
            "at": erasure.erased_at,
            "certificate": f"{corpus}/{FOLDER}/{erasure.name}.json",
        }
        for erasure in all_erasures
        if erasure.erased_at is not None and erasure.document.get("releases", {}).get(release)
    )
