"""The stages of a corpus, each stated once: what it reads, writes and depends on, what judges it, what it means.

Everything else asks here: the order of a run, the plan, freshness, the asset graph, the catalogue, ``explain`` and the
release page. A new stage is one file and one entry of :data:`STAGES`; a package brings one by an entry point of the
group ``winnowry.stages``.

The graph is data: it names its functions and imports only what a recipe is made of, so that every room above
``recipe`` may read it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.core.jsonable import canonical_json
from winnowry.core.tables import COMPARISON, DUPLICATES, LANDING
from winnowry.operators.base import Operator
from winnowry.recipe import tables
from winnowry.recipe.columns import AddedColumn
from winnowry.recipe.fingerprint import hash_of, recipe_spec
from winnowry.recipe.model import Recipe
from winnowry.recipe.valid2 import LETTERS
from winnowry.stages import specifications

Scope = Literal["partition", "corpus"]
How = Literal["same", "part", "every", "whole"]
RECORD = "record_id"
PUBLISHED = "published"
"""The stage whose table has releases."""

Origins = Mapping[str, tuple[tuple[str, str], ...]]
Keeps = Literal["rows", "others", "selected"]
Role = Literal["rows", "content", "frozen", "complete", "beside"]


def always(recipe: Recipe) -> bool:
    """Every recipe has the stage or the edge."""
    return True


@dataclass(frozen=True)
class Read:
    """An edge: a stage that another one reads.

    Attributes:
        stage: the stage that is read.
        how: ``same``: the partition of the same key; ``part``: what a corpus-wide stage says of this partition;
            ``every``: all partitions; ``whole``: a corpus-wide stage.
        role: ``rows``: its data version is an input; ``content``: rows are read, and :attr:`Stage.inputs` says which
            version counts; ``frozen``: rows are read, and a new version of them changes nothing; ``complete``: nothing
            is read, but every partition must be there and fresh; ``beside``: it is added to, whatever partitions are
            there.
        when: recipes that have the edge.
    """

    stage: str
    how: How
    role: Role = "rows"
    when: Callable[[Recipe], bool] = always


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: of the stage, of its table and of its asset.
        scope: whether it runs once a partition or once a corpus.
        means: what its table holds, in one sentence.
        produce: ``module:class`` of the :class:`~winnowry.promotion.production.Production` that makes its rows.
        reads: its edges.
        schema: columns of its table for a recipe; None where the stage writes no table.
        spec: the parts of the recipe that its rows depend on, apart from its inputs and its gate.
        gate: its gate from those of the recipe, where it is not just the one of its name.
        suites: names of the concerns that its gate judges, in the order in which people read them.
        more_suites: concerns that depend on the recipe.
        judged_as: what the names of its suites begin with; its own name when None.
        expectations: module with ``suites(recipe, schema)``; ``expectations.NAME`` when None.
        inputs: ``module:function`` of (workspace, recipe, stage, partition) that gives the inputs which are not data
            versions of stages.
        unrecorded: ``module:function`` of (workspace, recipe, stage) that tells a promotion without a record from the
            table; older versions recorded none of added columns.
        outdated: ``module:function`` of (workspace, recipe, record) that says why the live promotion has
            to be made again though recipe and inputs are the same.
        when: recipes that have the stage.
        key: the column that identifies a row.
        indexed: whether the key has an index.
        operators: the operators that write its columns.
        renames: columns that it takes over under another name: new name to old one.
        takes: stages whose columns it takes over by name, first one first.
        origins: other columns of it with the (stage, column) pairs that they come from.
        left: what the release page calls the records that are left after it; None where it drops none.
        waits: what ``explain`` says of a record that is in its table and in no later one.
        says: ``module:function`` of a row and what is known beside it: a sentence for ``explain``.
        keeps: which records are left after it: those in its ``rows``; the ``others``; the ``selected`` ones.
        shows: the column of its table that people are shown of a record.
        about: more for the catalogue, from the recipe.
        kinds: badges of its asset.
        starts: whether it says which partitions there are.
        column_of: the table that it adds a column to, where it is no table of its own.
    """

    name: str
    scope: Scope
    means: str
    produce: str
    reads: tuple[Read, ...] = ()
    schema: Callable[[Recipe], pa.Schema] | None = None
    spec: Callable[[Recipe, dict[str, Any]], dict[str, Any]] = lambda recipe, spec: {}
    gate: Callable[[Recipe, dict[str, Any]], dict[str, Any]] | None = None
    suites: tuple[str, ...] = ()
    more_suites: Callable[[Recipe], tuple[str, ...]] = lambda recipe: ()
    judged_as: str | None = None
    expectations: str | None = None
    inputs: str | None = None
    unrecorded: str | None = None
    outdated: str | None = None
    when: Callable[[Recipe], bool] = always
    key: str = RECORD
    indexed: bool = False
    operators: Callable[[Recipe], tuple[Operator, ...]] = lambda recipe: ()
    renames: tuple[tuple[str, str], ...] = ()
    takes: tuple[str, ...] = ()
    origins: Callable[[Recipe], Origins] = lambda recipe: {}
    left: str | None = None
    waits: str | None = None
    says: str | None = None
    keeps: Keeps = "rows"
    shows: str | None = None
    about: Callable[[Recipe], str] = lambda recipe: ""
    kinds: tuple[str, ...] = ("python", "lance")
    starts: bool = False
    column_of: str | None = None

    @property
    def table(self) -> str | None:
        """The table that readers find it in; None where it has none."""
        return self.column_of or (self.name if self.schema is not None else None)

    @property
    def partitioned(self) -> bool:
        """Whether it runs once a partition."""
        return self.scope == "partition"

    def edges(self, recipe: Recipe) -> tuple[Read, ...]:
        """The edges that a recipe has."""
        return tuple(read for read in self.reads if read.when(recipe))

    def suite_names(self, recipe: Recipe) -> tuple[str, ...]:
        """Names of the suites that judge it."""
        own = (*self.suites, *self.more_suites(recipe))
        added = (gate.concern for gate in all_gates() if gate.stage == self.name)
        return tuple(f"{self.judged_as or self.name}.{concern}" for concern in (*own, *added))

    def specification(self, recipe: Recipe) -> dict[str, Any]:
        """The parts of the recipe that its output and its acceptance depend on, apart from its inputs."""
        whole = recipe_spec(recipe)
        gates = whole["gates"]
        gate = self.gate(recipe, gates) if self.gate is not None else gates.get(self.name, {})
        return {**self.spec(recipe, whole), "gate": gate}

    def hash(self, recipe: Recipe) -> str:
        """Hash of :meth:`specification`."""
        return hash_of(self.specification(recipe))

    def rows_hash(self, recipe: Recipe) -> str:
        """Hash of what decides rows: :meth:`specification` without the gate."""
        return hash_of(rows_specification(self.specification(recipe)))


def rows_specification(specification: dict[str, Any]) -> dict[str, Any]:
    """A specification without its gate: a moved threshold of the gate judges rows anew and changes none."""
    return {**specification, "gate": None}


def _drawn_from(recipe: Recipe) -> Origins:
    """Where the columns of the draw come from."""
    by = recipe.sample.by if recipe.sample is not None else None
    size = recipe.kind.size_column
    chosen = tuple(("scored", column) for column in dict.fromkeys((by, size)) if column)
    taken_over = {name: (("scored", name),) for name in ("record_id", "partition", size)}
    return taken_over | {"probability": chosen, "selected": chosen}


def _content(recipe: Recipe) -> Origins:
    """The bytes of a file, which no stage between touches."""
    with_bytes = recipe.kind.carries == "blob" and not recipe.cuts_media
    return {"payload": (("raw", "payload"),)} if with_bytes else {}


# ------------------------------------------------------------------------------------------------------ the graph

STAGES: tuple[Stage, ...] = (
    Stage(
        "landing",
        "corpus",
        "Landing objects by URI with size, entity tag and the partitions they hold: a partition's run opens only its "
        "own objects, and a changed object is noticed. Records that cannot be read go to quarantine.",
        "winnowry.stages.landing:Landing",
        schema=lambda recipe: LANDING,
        spec=specifications.sources,
        gate=specifications.landing_gate,
        suites=("contract", "ledger", "quality"),
        inputs="winnowry.stages.landing:landed_objects",
        key="uri",
        says="winnowry.inspect.sentences:counted_in_object",
        starts=True,
    ),
    Stage(
        "raw",
        "partition",
        "Records as they arrived, with where they lay, their event time and license.",
        "winnowry.stages.raw:Raw",
        reads=(Read("landing", "part"),),
        schema=tables.raw_schema,
        spec=specifications.sources,
        suites=("contract", "ledger", "quality", "drift"),
        outdated="winnowry.stages.updates:outdated",
        indexed=True,
        left="readable records",
        waits="ingested, not yet cleaned",
        says="winnowry.inspect.sentences:read_from_object",
        shows="payload",
        about=lambda recipe: recipe.description or recipe.corpus,
    ),
    Stage(
        "cleaned",
        "partition",
        "Records that passed every cleaning rule, with the columns the rules looked at. Every other record of `raw` is "
        "in `quarantine` with operator, reason, value and threshold.",
        "winnowry.stages.cleaned:Cleaned",
        reads=(Read("raw", "same"),),
        schema=tables.cleaned_schema,
        spec=specifications.cleaning,
        suites=("contract", "ledger", "quality", "drift"),
        when=specifications.leaves_raw,
        operators=lambda recipe: recipe.cleaning,
        renames=(("text", "payload"),),
        left="passed the cleaning rules",
        waits="kept by every rule, not yet scored",
        says="winnowry.inspect.sentences:kept_by_rules",
        shows="text",
        about=lambda recipe: specifications.listed(recipe.clean),
    ),
    Stage(
        "duplicates",
        "corpus",
        "Cleaned records that are not the keeper of their group, decided over the whole corpus: the result does not "
        "depend on the order in which partitions were run.",
        "winnowry.stages.duplicates.duplicates:Duplicates",
        reads=(Read("raw", "every", "complete"), Read("cleaned", "every")),
        schema=lambda recipe: DUPLICATES,
        spec=specifications.deduplication,
        suites=("contract", "ledger", "quality"),
        when=specifications.leaves_raw,
        origins=lambda recipe: {name: (("cleaned", name),) for name in ("record_id", "partition")},
        left="not a duplicate",
        says="winnowry.inspect.sentences:stands_behind",
        keeps="others",
    ),
    Stage(
        "fit",
        "corpus",
        "Statistics that scores are normalised with, computed once from a sample of the keepers and then frozen under "
        "the operator's fingerprint: a later partition does not shift earlier scores.",
        "winnowry.stages.fit:Fit",
        reads=(Read("cleaned", "every", "frozen"), Read("duplicates", "whole", "frozen")),
        spec=lambda recipe, spec: {"score": spec["score"]},
        outdated="winnowry.stages.fit:outdated",
        when=specifications.leaves_raw,
        kinds=("python", "json"),
    ),
    Stage(
        "scored",
        "partition",
        "Scores of the keepers, without their text.",
        "winnowry.stages.scored:Scored",
        reads=(Read("cleaned", "same"), Read("duplicates", "part"), Read("fit", "whole")),
        schema=tables.scored_schema,
        spec=specifications.scoring,
        suites=("contract", "ledger", "quality", "drift"),
        when=specifications.leaves_raw,
        operators=lambda recipe: recipe.score,
        left="scored",
        waits="scored, not yet sampled",
        says="winnowry.inspect.sentences:scored",
        about=lambda recipe: specifications.listed(recipe.score),
    ),
    Stage(
        "sampled",
        "corpus",
        "Every keeper with its inclusion probability, its permanent random number and whether it is selected.",
        "winnowry.stages.sampled:Sampled",
        reads=(Read("scored", "every"),),
        schema=tables.sampled_schema,
        spec=lambda recipe, spec: {"sample": spec["sample"]},
        suites=("contract", "ledger", "budget"),
        when=specifications.has_releases,
        origins=_drawn_from,
        left="drawn by the sample",
        waits="selected, not yet published",
        says="winnowry.inspect.sentences:drawn",
        keeps="selected",
        about=specifications.drawn,
    ),
    Stage(
        "comparison",
        "corpus",
        "Bits per byte of a proxy trained on the recipe's selection, on its rivals and on controls, with the same "
        "token budget and several seeds.",
        "winnowry.stages.comparison:ComparisonOfSelections",
        reads=(Read("sampled", "whole"),),
        schema=lambda recipe: COMPARISON,
        spec=lambda recipe, spec: {"comparison": spec.get("comparison"), "sample": spec["sample"]},
        suites=("contract", "ledger", "proof"),
        inputs="winnowry.stages.comparison:text_sets",
        when=specifications.compared,
        key="measurement_id",
    ),
    Stage(
        PUBLISHED,
        "corpus",
        "The records for training with their content, scores and provenance. Each release is a tag (`v1`, `v2`, …); "
        "the tag of the recipe moves last.",
        "winnowry.stages.published:Published",
        reads=(
            Read("sampled", "whole"),
            Read("comparison", "whole", "content", specifications.compared),
            Read("cleaned", "every"),
            Read("scored", "every", "content"),
        ),
        schema=tables.published_schema,
        spec=specifications.publishing,
        suites=("contract", "ledger", "quality"),
        more_suites=lambda recipe: (
            tuple(f"valid2.{letter}" for letter in LETTERS) if recipe.gates.published.valid2 is not None else ()
        ),
        inputs="winnowry.stages.published:content_versions",
        when=specifications.has_releases,
        takes=("cleaned", "scored"),
        origins=_content,
        left="published",
        says="winnowry.inspect.sentences:released",
        shows="text",
        about=lambda recipe: f"tag `{recipe.publish.tag}`",
    ),
)
"""Every built-in stage, upstream ones first."""


@dataclass(frozen=True)
class Gate:
    """One more concern that a stage's gate judges, beside those of ``expectations/``.

    Attributes:
        stage: the stage.
        concern: what it is about; its suite is named ``STAGE.CONCERN``.
        suites: ``module:function`` of (recipe, schema) that gives the suite, in a list.
    """

    stage: str
    concern: str
    suites: str


_registered: list[Stage] = []
_registered_gates: list[Gate] = []


@cache
def _installed() -> tuple[Stage, ...]:
    from importlib.metadata import entry_points

    return tuple(entry.load() for entry in entry_points(group="winnowry.stages"))


@cache
def _installed_gates() -> tuple[Gate, ...]:
    from importlib.metadata import entry_points

    return tuple(entry.load() for entry in entry_points(group="winnowry.gates"))


def all_gates() -> tuple[Gate, ...]:
    """Gates of installed packages (entry points of the group ``winnowry.gates``) and registered ones."""
    return (*_installed_gates(), *_registered_gates)


@contextmanager
def registered_gate(gate: Gate) -> Iterator[Gate]:
    """Let a stage be judged by one more concern inside the body.

    Raises:
        UsageError: there is no such stage, or the stage judges that concern already.
    """
    if gate.concern in stage_named(gate.stage).suites or any(
        (known.stage, known.concern) == (gate.stage, gate.concern) for known in all_gates()
    ):
        raise UsageError(f"stage {gate.stage!r} has a suite {gate.stage}.{gate.concern} already")
    _registered_gates.append(gate)
    try:
        yield gate
    finally:
        _registered_gates.remove(gate)


def all_stages() -> tuple[Stage, ...]:
    """Built-in stages, those of installed packages and registered ones, upstream ones first."""
    return (*STAGES, *_installed(), *_registered)


@contextmanager
def registered(stage: Stage) -> Iterator[Stage]:
    """Let every recipe have one more stage inside the body.

    Raises:
        UsageError: the name stands already, or the stage reads one that does not.
    """
    names = [known.name for known in all_stages()]
    if stage.name in names:
        raise UsageError(f"there is a stage {stage.name!r} already")
    unknown = [read.stage for read in stage.reads if read.stage not in names]
    if unknown:
        raise UsageError(f"stage {stage.name!r} reads {', '.join(unknown)}; there are {', '.join(names)}")
    _registered.append(stage)
    try:
        yield stage
    finally:
        _registered.remove(stage)


def stages_in(recipe: Recipe) -> tuple[Stage, ...]:
    """The stages that a recipe has, upstream ones first; the columns that it adds to tables come last."""
    own = tuple(stage for stage in all_stages() if stage.when(recipe))
    return own + tuple(_column_stage(column) for column in recipe.columns or ())


def _column_stage(column: AddedColumn) -> Stage:
    """A column that a recipe adds to a table, as a stage."""
    written = "Written beside the data, which is not rewritten, and seen by nobody before its gate has passed. Later "
    return Stage(
        column.stage,
        "corpus",
        f"Column `{column.name}` of `{column.table}`: {column.computed_by}. {written}rows get it before they are seen.",
        "winnowry.stages.column:ColumnOfTable",
        reads=(Read(column.table, "every" if stage_named(column.table).partitioned else "whole", "beside"),),
        spec=lambda recipe, spec: {"column": column.fingerprint()},
        suites=("contract", "values"),
        judged_as="column",
        inputs="winnowry.stages.column:definition",
        unrecorded="winnowry.stages.column:unrecorded",
        kinds=("lance", "sql" if column.sql is not None else "python"),
        column_of=column.table,
    )


def stage_of(recipe: Recipe, name: str) -> Stage:
    """A stage of a recipe.

    Raises:
        UsageError: the recipe has none of this name.
    """
    own = stages_in(recipe)
    for stage in own:
        if stage.name == name:
            return stage
    names = [stage.name for stage in own]
    if any(stage.name == name for stage in all_stages()):
        raise UsageError(f"{recipe.corpus}: the recipe has no stage {name!r}; its stages are {', '.join(names)}")
    raise UsageError(f"{recipe.corpus}: {no_stage(name, names)}")


def stage_named(name: str) -> Stage:
    """A stage of any recipe.

    Raises:
        UsageError: there is none of this name.
    """
    for stage in all_stages():
        if stage.name == name:
            return stage
    raise UsageError(no_stage(name, [stage.name for stage in all_stages()]))


def no_stage(name: str, known: list[str]) -> str:
    """Says that there is no such stage, and which were meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"no stage {name!r}; " + (f"did you mean {near[0]}?" if near else f"stages are {', '.join(known)}")


def record_tables() -> tuple[str, ...]:
    """Tables whose rows are records, upstream ones first."""
    return tuple(stage.name for stage in all_stages() if stage.schema is not None and stage.key == RECORD)


def position(name: str) -> int:
    """Place of a stage in the order of the graph; stages that are not in it come last."""
    return next((at for at, stage in enumerate(all_stages()) if stage.name == name), len(all_stages()))


def same_specification(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two specifications give the same rows."""
    return canonical_json(rows_specification(one)) == canonical_json(rows_specification(other))


def _one(test: Callable[[Stage], bool]) -> str:
    return next(stage.name for stage in STAGES if test(stage))


ARRIVED = _one(lambda stage: stage.schema is not None and stage.key == RECORD)
"""The table of records as they arrived."""

LEFT_OUT = _one(lambda stage: stage.keeps == "others")
"""The table of records that others stand for."""

DRAWN = _one(lambda stage: stage.keeps == "selected")
"""The table that says which records are in the sample."""

KEPT = _one(lambda stage: bool(stage.renames))
"""The table of records that every cleaning rule kept, with their text."""

SCORED = _one(lambda stage: any(read.stage == LEFT_OUT for read in stage.reads) and stage.partitioned)
"""The table of scores."""


def shown_before(name: str) -> tuple[str, str] | None:
    """Where to look at a record as it came to a stage: the nearest table before it that shows one, and the column.

    None for stages that reject records before any table holds them.
    """
    for read in stage_named(name).reads:
        if read.role == "complete":
            continue
        before = stage_named(read.stage)
        if before.shows is not None:
            return before.name, before.shows
        further = shown_before(before.name)
        if further is not None:
            return further
    return None


def reading_stages() -> tuple[str, ...]:
    """Stages that reject what cannot be read: no table shows such a record."""
    return tuple(stage.name for stage in all_stages() if shown_before(stage.name) is None)
