"""A release's page, cards and facts, made when it is published and stored beside it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from winnowry.core.errors import TableFormatError
from winnowry.core.formats import FORMATS, Kind, Stored, from_bytes, stamped
from winnowry.core.jsonable import jsonable
from winnowry.lakehouse.at_work import at_work
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import StageResult
from winnowry.releases.facts.facts import release_facts, shown_here
from winnowry.releases.model import Release
from winnowry.releases.recipes import documents_uri
from winnowry.releases.releases import find_release
from winnowry.report.croissant import croissant
from winnowry.report.markdown_card import markdown_card
from winnowry.report.release_page import release_page
from winnowry.report.release_pictures import pictures_in_markdown

logger = logging.getLogger(__name__)

PAGE, CROISSANT, README, FACTS = "page.html", "card.croissant.json", "README.md", "facts.json"
_KIND: Kind = "facts of a release"
_TABLE_FROM_CARD = "../../published.lance"


def rendered(facts: Mapping[str, Any], suffix: str, *, table: str | None = None) -> str:
    """A release as a document.

    Args:
        facts: what ``release_facts`` gives.
        suffix: ``.html`` the page, ``.md`` a Markdown card for the Hugging Face hub, ``.json`` a Croissant card.
        table: where the table lies, seen from the Croissant card; where it lies in the lake when None.

    Raises:
        KeyError: another suffix.
    """
    document = jsonable(facts)
    if suffix == ".json":
        return json.dumps(croissant(document, table=table), ensure_ascii=False, indent=2) + "\n"
    return {".html": release_page, ".md": markdown_card}[suffix](document)


def stored_facts(ws: Workspace, release: Release) -> dict[str, Any]:
    """All facts of a release, masked: those stored with its page or, without them, gathered from the tables.

    What moves after a release is published, its tags, is as it is now.
    """
    uri = f"{documents_uri(ws, release.corpus, release.name)}/{FACTS}"
    stored = _read_facts(ws, uri)
    if stored is not None:
        number, facts = stored
        # Those of an older format are gathered anew.
        if number == FORMATS[_KIND] and facts["release"]["promotion_id"] == release.promotion_id:
            facts["release"]["tags"] = list(release.tags)
            shown_here(ws, facts)
            return stamped(_KIND, facts)
    gathered: dict[str, Any] = jsonable(release_facts(ws, release.corpus, release))
    shown_here(ws, gathered)
    return stamped(_KIND, gathered)


def _read_facts(ws: Workspace, uri: str) -> Stored | None:
    """Facts as they were stored; None where there are none, or where they are damaged: they can be gathered."""
    if not ws.store.exists(uri):
        return None
    try:
        return from_bytes(_KIND, uri, ws.store.read(uri))
    except TableFormatError as error:
        if not error.damaged:
            raise
        logger.warning("%s; the facts are gathered anew from the tables", error)
        return None


def with_documents(ws: Workspace, result: StageResult) -> StageResult:
    """Make the page and the cards of the release that a result of ``published`` stands for, unless they are there.

    The release is out when this is called: whatever goes wrong here is reported and changes nothing about it.
    ``winnowry release show --out`` makes the same documents at any time.

    Args:
        ws: the lake.
        result: promoted or skipped.

    Returns:
        The result with ``page``, ``card`` and ``readme`` (URIs) in its metadata, or with ``page_problem``; where they
        were made, also with ``sample`` and ``columns``, what the page shows of both, and with ``pictures`` as Markdown
        where it has any.
    """
    name = result.metadata.get("release")
    if not isinstance(name, str):
        return result
    started = time.perf_counter()
    folder = documents_uri(ws, result.corpus, name)
    stored = {"page": f"{folder}/{PAGE}", "card": f"{folder}/{CROISSANT}", "readme": f"{folder}/{README}"}
    try:
        looked_at: dict[str, Any] = {}
        if result.status != "skipped" or not ws.store.exists(stored["page"]):
            with at_work(ws, result.corpus, f"page of {name}"):
                looked_at = _looked_at(_store(ws, result.corpus, name, stored))
    except Exception as error:
        logger.warning("%s %s is published; its page could not be made", result.corpus, name, exc_info=True)
        problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return replace(result, metadata={**result.metadata, "page_problem": problem})
    seconds = result.seconds + time.perf_counter() - started
    return replace(result, metadata={**result.metadata, **stored, **looked_at}, seconds=seconds)


def _looked_at(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Some records and what the columns hold, as the page shows them, for the metadata of a run."""
    shown = ("name", "type", "meaning", "nulls", "low", "mean", "high")
    rows = [{name: row[name] for name in ("record_id", "partition", "text")} for row in facts["rows"]]
    columns = [{name: column.get(name) for name in shown} for column in facts["columns"]]
    drawn = pictures_in_markdown(facts["pictures"]["shown"]) if "pictures" in facts else ""
    return {"sample": jsonable(rows), "columns": jsonable(columns), **({"pictures": drawn} if drawn else {})}


def _store(ws: Workspace, corpus: str, name: str, stored: Mapping[str, str]) -> dict[str, Any]:
    facts = release_facts(ws, corpus, find_release(ws, corpus, name))
    # Which tags are on the release moves after this: it is asked for whenever it is shown.
    still = {**facts, "release": {key: value for key, value in facts["release"].items() if key != "tags"}}
    body = json.dumps(stamped(_KIND, jsonable(still)), ensure_ascii=False)
    ws.store.write(f"{documents_uri(ws, corpus, name)}/{FACTS}", body.encode("utf-8", "replace"))
    # The page comes last: where it is, the others are.
    for key, suffix in (("card", ".json"), ("readme", ".md"), ("page", ".html")):
        ws.store.write(stored[key], rendered(facts, suffix, table=_TABLE_FROM_CARD).encode("utf-8", "replace"))
    return facts
