"""Makes again what verification found damaged, upstream first, from inputs that are sound.

A repair is a promotion like any other, through driver and gates. Its rows are compared with the digest of those that
were there: equal ones are a repair; where they differ it says that this is a new promotion.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from winnowry.core.errors import UsageError, WinnowryError
from winnowry.core.progress import Progress
from winnowry.inspect.verify import HISTORY, Finding, Repaired, Verification
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.corpus_recipe import stored_recipe
from winnowry.promotion.request import SuiteProvider
from winnowry.recipe.model import Recipe
from winnowry.recipe.validate import validate
from winnowry.stages.graph import Stage, position, stage_named, stages_in
from winnowry.stages.run import run_stage

Key = tuple[str, str]
_REBUILT = ("missing", "size", "content", "not sealed", "lost rows")


def repair(
    ws: Workspace, verification: Verification, suites: SuiteProvider, progress: Progress
) -> tuple[Repaired, ...]:
    """Repair what can be: indexes, tags of lost versions, and rows whose inputs are sound.

    Args:
        ws: the lake.
        verification: what was found.
        suites: gives the suites that judge what is made again.
        progress: hears about the stages.

    Returns:
        What was done, and what was not and why.
    """
    done: list[Repaired] = []
    for corpus in verification.corpora:
        findings = [finding for finding in verification.findings if finding.corpus == corpus]
        if findings:
            done += _Repair(ws, corpus, findings, suites, progress).all()
    return tuple(done)


def remove_history(ws: Workspace, left: Verification) -> tuple[Verification, tuple[Repaired, ...]]:
    """Remove damaged files that only older versions name, and no promotion that is on its way.

    Returns:
        The verification without them, and what was done.
    """
    removed: list[Repaired] = []
    findings: list[Finding] = []
    wanted: dict[str, set[str]] = {}
    for finding in left.findings:
        if finding.repair != HISTORY or finding.fault not in ("size", "content"):
            findings.append(finding)
            continue
        if finding.corpus not in wanted:
            records = ws.lake.records(finding.corpus).all()
            wanted[finding.corpus] = {n for r in records if r.state in ("staged", "committing") for n in r.files}
        if finding.name in wanted[finding.corpus]:
            findings.append(finding)
            continue
        ws.store.delete(f"{ws.lake.corpus_uri(finding.corpus)}/{finding.name}")
        removed.append(
            Repaired(finding.corpus, finding.name, True, "removed: damaged, and only older versions name it")
        )
    return replace(left, findings=tuple(findings)), tuple(removed)


class _Repair:
    def __init__(
        self, ws: Workspace, corpus: str, findings: Sequence[Finding], suites: SuiteProvider, progress: Progress
    ) -> None:
        self.ws, self.corpus, self.findings = ws, corpus, findings
        self.suites, self.progress = suites, progress
        self.broken: set[Key] = set()

    def all(self) -> list[Repaired]:
        """Everything that can be repaired, indexes first: the look-ups of the stages use them."""
        done = [self._index(table) for table in sorted({f.table for f in self.findings if "/_indices/" in f.name})]
        return done + self._all_rows()

    def _all_rows(self) -> list[Repaired]:
        keys = self._keys()
        if not keys:
            return []
        try:
            recipe = self._recipe()
        except (WinnowryError, OSError) as error:
            message = f"its recipe cannot be read, so nothing can be made again: {error}"
            return [Repaired(self.corpus, "rows", False, message)]
        present = {stage.name for stage in stages_in(recipe)}
        return [self._rows(recipe, stage_named(stage), partition) for stage, partition in keys if stage in present]

    def _keys(self) -> list[Key]:
        """What is to be made again, upstream first."""
        damaged: set[Key] = set()
        for finding in self.findings:
            if finding.stage is None or "/_indices/" in finding.name or not self._is_latest(finding):
                continue
            damaged.add((finding.stage, finding.partition or WHOLE_TABLE))
        return sorted(damaged, key=lambda key: (position(key[0]), key[1]))

    def _is_latest(self, finding: Finding) -> bool:
        return finding.fault in ("lost rows", "lost version") or (
            finding.fault in _REBUILT and finding.repair.startswith("winnowry verify --repair")
        )

    def _recipe(self) -> Recipe:
        """The recipe as it last ran: what its file says now may give other rows."""
        stored = stored_recipe(self.ws, self.corpus)
        if stored is None:
            raise UsageError("the corpus notes none; run it with `winnowry run RECIPE --force STAGE/PARTITION`")
        recipe, problems = validate(stored.recipe)
        if recipe is None or problems:
            raise UsageError(f"this version refuses it: {problems[0] if problems else 'it is empty'}")
        return recipe.from_file(Path(stored.file)) if stored.file is not None else recipe

    def _index(self, table: str) -> Repaired:
        try:
            names = self.ws.lake.rebuild_indexes(self.corpus, table)
        except (WinnowryError, OSError, ValueError) as error:
            return Repaired(self.corpus, f"index of {table}", False, f"was not built: {error}")
        return Repaired(self.corpus, f"index of {table}", True, f"built anew: {', '.join(names)}")

    def _rows(self, recipe: Recipe, stage: Stage, partition: str) -> Repaired:
        key = None if partition == WHOLE_TABLE else partition
        place = stage.name if key is None else f"{stage.name}[{key}]"
        before = self._live(stage.name, partition)
        blocked = sorted(name for name, of in self.broken if self._reads(recipe, stage, name, of, partition))
        if blocked:
            self.broken.add((stage.name, partition))
            return Repaired(self.corpus, place, False, f"was not made again: it reads {blocked[0]}, which is damaged")
        try:
            if stage.schema is not None:
                self.ws.lake.keep_tags_of_lost_versions(self.corpus, stage.name, stage.schema(recipe))
            self._let_go(before)
            result = run_stage(
                self.ws,
                recipe,
                stage.name,
                key,
                suites=self.suites,
                run_id=f"repair-{uuid.uuid4().hex}",
                progress=self.progress,
                force=True,
            )
        except (WinnowryError, OSError, ValueError) as error:
            self.broken.add((stage.name, partition))
            return Repaired(self.corpus, place, False, f"was not made again: {str(error).splitlines()[0]}")
        after = self._live(stage.name, partition)
        same = _same_rows(before, after)
        what = {
            True: "made again: the same rows",
            False: f"made again with other rows than were there: promotion {result.promotion_id} is a new one",
            None: f"made again as promotion {result.promotion_id}; nothing says whether its rows are those of before",
        }[same]
        return Repaired(self.corpus, place, True, what, str(result.promotion_id), same)

    def _let_go(self, record: PromotionRecord | None) -> None:
        """Take damaged fragments out of a table that is changed and not replaced: what stays in it is kept as it is."""
        if record is None or record.main is None or record.main.scope != "delta":
            return
        prefix = f"{record.main.table}.lance/data/"
        damaged = {f.name.removeprefix(prefix) for f in self.findings if f.name.startswith(prefix)}
        self.ws.lake.drop_fragments(self.corpus, record.main.table, damaged)

    def _live(self, stage: str, partition: str) -> PromotionRecord | None:
        records = [r for r in self.ws.lake.records(self.corpus).of(stage, partition) if r.state == "promoted"]
        return max(records, key=lambda record: (record.promoted_at or 0.0, record.id), default=None)

    @staticmethod
    def _reads(recipe: Recipe, stage: Stage, name: str, partition: str, own: str) -> bool:
        return any(read.stage == name and (read.how != "same" or partition == own) for read in stage.edges(recipe))


def _same_rows(before: PromotionRecord | None, after: PromotionRecord | None) -> bool | None:
    """Whether two promotions wrote the same rows; None where a digest is missing, or one of them changed a table."""
    if before is None or after is None or before.main is None or after.main is None or before.main.scope == "delta":
        return None
    table = before.main.table
    if table not in before.digests or table not in after.digests:
        return None
    return before.digests[table] == after.digests[table]
