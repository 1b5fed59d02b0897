"""All facts of a release as one JSON-able document."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from winnowry.evidence.valid2.tc609 import tc609
from winnowry.lakehouse.lance_uri import lance_uri, reading_lines
from winnowry.lakehouse.manifest import manifest_of
from winnowry.reading.session import session
from winnowry.releases.as_of import ReleaseTables, tables_of
from winnowry.releases.facts.changes import changes
from winnowry.releases.facts.columns import columns, rows
from winnowry.releases.facts.contents import contents
from winnowry.releases.facts.examples import examples, masked
from winnowry.releases.facts.families import families
from winnowry.releases.facts.funnel import duplicates, funnel
from winnowry.releases.facts.limits import limits
from winnowry.releases.facts.media import media
from winnowry.releases.facts.pictures import pictures
from winnowry.releases.facts.selection import make_pool, partitions, score_column, scores, shifts
from winnowry.releases.facts.verdicts import comparison, gates
from winnowry.releases.recipes import recipe_of
from winnowry.releases.releases import release_before
from winnowry.stages.graph import PUBLISHED, record_tables
from winnowry.storage.settings import reading_options

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.releases.model import Release


def release_facts(ws: Workspace, corpus: str, release: Release, *, mask: bool = True) -> dict[str, Any]:
    """What there is to say about a release; reads narrow columns, and the text of a few example records.

    Args:
        ws: the lake.
        corpus: the corpus.
        release: one of :func:`~winnowry.releases.releases.releases`.
        mask: whether personal data in example texts is replaced by tags.

    Returns:
        Numbers, texts, lists and objects; nothing else. ``winnowry.report.release_page`` shows it.
    """
    tables = tables_of(ws, corpus, release)
    with session(tables) as opened:
        by = score_column(opened)
        pooled = make_pool(opened, by)
        facts: dict[str, Any] = {
            "corpus": corpus,
            "release": {
                **release.to_dict(),
                "created_at": None if release.created_at is None else release.created_at.isoformat(),
                "tags": list(release.tags),
                "missing_partitions": list(release.missing_partitions),
            },
            "contents": contents(opened),
            "funnel": funnel(opened),
            "scores": scores(opened, by) if pooled else None,
            "shifts": shifts(opened) if pooled else None,
            "partitions": partitions(opened, pooled),
            "duplicates": duplicates(opened),
            "changes": changes(ws, opened, release_before(ws, release), release),
            "recipe": _recipe(ws, release),
            "made": _made(tables),
            "columns": columns(opened, _made(tables)["stages"]),
            "rows": rows(opened, mask=mask),
            "examples": examples(opened, mask=mask),
            "masked": mask,
            "gates": _without_personal_data(gates(opened, release)) if mask else gates(opened, release),
        }
        facts["media"] = media(opened)
        experienced = families(opened, facts["made"]["stages"])
    if experienced is not None:
        facts["families"] = experienced
    shown = pictures(tables.views[PUBLISHED])
    if shown is not None:
        facts["pictures"] = shown
    landing = tables.of_stage("landing")
    if landing is not None and "lost" in landing.facts:
        facts["lost"] = landing.facts["lost"]
    facts["comparison"] = comparison(tables)
    if accepted := _accepted(tables, mask=mask):
        facts["accepted"] = accepted
    facts["tables_moved"] = list(tables.changed_since)
    facts["use"] = _use(ws, tables)
    facts["table"] = _table(ws, tables)
    published = tables.of_stage(PUBLISHED)
    facts["about"] = published.facts.get("about") if published is not None else None
    facts["valid2"] = published.facts.get("valid2") if published is not None else None
    if published is not None and "kept_partitions" in published.facts:
        facts["kept_partitions"] = published.facts["kept_partitions"]
    facts["limits"] = limits(facts)
    facts["tc609"] = tc609(facts) if facts["valid2"] is not None else None
    return facts


def _without_personal_data(verdicts: dict[str, Any]) -> dict[str, Any]:
    """Verdicts whose messages may name values of failing rows."""
    for row in (*verdicts["notable"], *verdicts["own"]):
        texts = {name: row[name] for name in ("message", "observed") if row.get(name)}
        row.update(zip(texts, masked(texts.values()), strict=True))
    return verdicts


def _recipe(ws: Workspace, release: Release) -> str | None:
    """The recipe's YAML; None of releases made before recipes were stored."""
    stored = recipe_of(ws, release)
    return stored.yaml if stored is not None else None


def _accepted(tables: ReleaseTables, *, mask: bool) -> list[dict[str, Any]]:
    """Failures of gates that a person has signed for, of the candidates that the release was made from."""
    signed = [
        accepted | {"promotion": record.id}
        for record in sorted(tables.records.values(), key=lambda record: (record.stage, record.partition))
        for accepted in record.lineage.get("accepted", ())
    ]
    messages = [str(accepted["message"]) for accepted in signed]
    shown = masked(messages) if mask else messages
    return [accepted | {"message": message} for accepted, message in zip(signed, shown, strict=True)]


def _made(tables: ReleaseTables) -> dict[str, Any]:
    """How the release was made: the specification of every stage, and the packages."""
    stages = {}
    for stage in record_tables():
        record = tables.of_stage(stage)
        if record is not None:
            stages[stage] = record.lineage.get("spec", {})
    record = tables.of_stage(PUBLISHED)
    return {
        "stages": stages,
        "seed": record.lineage.get("seed") if record is not None else None,
        "packages": record.lineage.get("packages", {}) if record is not None else {},
    }


def _table(ws: Workspace, tables: ReleaseTables) -> dict[str, Any]:
    """Where the release lies: the table, its columns, and the manifest that names its files."""
    view = tables.views[PUBLISHED]
    manifest = manifest_of(ws.store, view)
    return {
        "uri": ws.relative(view.uri),
        "columns": [{"name": field.name, "type": str(field.type), "nullable": field.nullable} for field in view.schema],
        "manifest": None if manifest is None else asdict(manifest),
    }


def _use(ws: Workspace, tables: ReleaseTables) -> dict[str, str]:
    release, corpus = tables.release, tables.corpus
    uri = ws.relative(tables.views[PUBLISHED].uri)
    when = "" if release.created_at is None else f"{release.created_at:%Y}"
    recipe = "" if release.data_hash is None else f", recipe {release.data_hash[:16]}"
    return {
        "read": reading_lines(lance_uri(uri), repr(release.name), {}, "  # from the folder of the lake"),
        "cite": (
            f"@misc{{{corpus}_{release.name},\n"
            f"  title = {{{corpus}, release {release.name}}},\n"
            + (f"  year = {{{when}}},\n" if when else "")
            + f"  version = {{{release.name}}},\n"
            f"  note = {{{release.rows:,} records{recipe}; made with winnowry}}\n}}"
        ),
        "reproduce": f"winnowry run {corpus} --root ."
        + (f"  # with the recipe whose hash is {release.data_hash[:16]}" if release.data_hash else ""),
    }


def shown_here(ws: Workspace, facts: dict[str, Any]) -> None:
    """Name places as they are called from here: what is stored names them from the root, so that a lake can move.

    Args:
        ws: the lake.
        facts: of a release, as they are stored; changed in place.
    """
    uri = ws.lake.table(facts["corpus"], PUBLISHED).uri
    root = ws.root if " " not in ws.root else f"'{ws.root}'"
    _, hash_mark, recipe = facts["use"]["reproduce"].partition("  # ")
    facts["table"]["uri"] = uri
    options = reading_options(ws.lake.storage_options)
    facts["use"]["read"] = reading_lines(lance_uri(uri), repr(facts["release"]["name"]), options)
    facts["use"]["reproduce"] = f"winnowry run {facts['corpus']} --root {root}{hash_mark}{recipe}"
