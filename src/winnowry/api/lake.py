"""The lake: what the commands do, as methods of one object."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from winnowry.core.arguments import names_of
from winnowry.core.errors import UsageError
from winnowry.core.export_formats import ExportFormat

if TYPE_CHECKING:
    import pyarrow as pa

    from winnowry.api.recipes import RecipeArgument
    from winnowry.api.table import Table
    from winnowry.columns.fill import ColumnResult
    from winnowry.columns.listing import ListedColumn
    from winnowry.core.progress import Progress
    from winnowry.erasure.erase import Certificate
    from winnowry.inspect.doctor import Diagnosis
    from winnowry.inspect.explain import Walk
    from winnowry.inspect.maintain import Maintenance
    from winnowry.inspect.verify import Depth, Verification
    from winnowry.inspect.what_if import WhatIf
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.operators.base import Operator
    from winnowry.releases.export import Export
    from winnowry.releases.model import Release
    from winnowry.releases.releases import ReleaseDiff, Rollback
    from winnowry.runs.order import RunOutcome
    from winnowry.stages.plan import Plan


def open(root: str | os.PathLike[str] | None = None) -> Lake:
    """A lake: a folder or an S3 prefix that holds landing objects and tables.

    Nothing is read yet: the store is reached, and an empty folder made, by the first method that needs it. How S3 is
    reached is in the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, …), as for the command line.

    Args:
        root: folder, relative to the working directory of now, or ``s3://bucket/prefix``. None: what
            ``WINNOWRY_ROOT`` says, else ``lake`` in the project: the nearest folder at or above the working directory
            with a ``workspace.yaml`` or a lake.

    >>> import winnowry as wn
    >>> wn.open("s3://my-bucket/lake")
    Lake('s3://my-bucket/lake')
    """
    from winnowry.runs.project import home_folder

    named = os.fspath(root) if root is not None else os.environ.get("WINNOWRY_ROOT")
    place = named or str(home_folder() / "lake")
    return Lake(place if "://" in place else str(Path(place).expanduser().resolve()))


class Lake:
    """Everything that can be done with a lake; :func:`open` makes one.

    Every method raises a :class:`~winnowry.core.errors.WinnowryError`: ``UsageError`` where the call or the recipe is
    wrong (nothing was written), ``DataError`` where the data failed, ``StorageError`` where the store did.

    Args:
        root: absolute folder or ``s3://bucket/prefix``.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"Lake({self.root!r})"

    @cached_property
    def workspace(self) -> Workspace:
        """What the rooms below this one work on: the open store and its tables. It may change between versions.

        Raises:
            StorageError: the root cannot be reached.
        """
        from winnowry.lakehouse.workspace import Workspace

        return Workspace.open(self.root)

    # ------------------------------------------------------------------------------------------------------- run

    def run(
        self,
        recipe: RecipeArgument,
        *,
        to: str | None = None,
        partitions: str | Sequence[str] = (),
        jobs: int | None = None,
        allow_missing: bool = False,
        dagster: bool = False,
        engine: str | None = None,
        retry_refused: bool = False,
        force: str | Sequence[str] = (),
        take_over: bool = False,
        progress: Progress | None = None,
    ) -> RunOutcome:
        """Execute the stages of a recipe; what is fresh is skipped.

        Every stage is staged, audited by its gates and only then promoted. The suites are those of the project that
        the working directory lies in, else the packaged ones. A stage that fails is in the outcome, and no error:
        look at ``outcome.succeeded``.

        Work on several cores is done by processes that import the script that called this. So a script calls it below
        ``if __name__ == "__main__":``; a notebook needs nothing.

        Args:
            recipe: path, name in the project's ``recipes/``, or :class:`Recipe`.
            to: last stage (``cleaned``) or column of the recipe (``published.tone``); the last one of all when None.
            partitions: only these partition keys; every partition of the landing when empty.
            jobs: partitions that go through their stages at the same time, each in a process; as many as pay off when
                None.
            allow_missing: let corpus-wide stages run without partitions that are missing or failed; it is recorded.
            dagster: record the run in the Dagster instance of ``WINNOWRY_HOME``, as ``winnowry run`` does.
            engine: what units of work run on, e.g. ``local[8]``; what ``WINNOWRY_ENGINE`` names when None.
            retry_refused: try again what a gate refused, though neither inputs nor rules have changed since.
            force: stages that are made again though they are fresh: ``cleaned``, or ``cleaned/2024`` for one partition;
                they take nothing over from earlier runs.
            take_over: let this recipe take the place of another one of the same corpus.
            progress: hears about every stage.

        Returns:
            What every stage did, in order; ``succeeded``, ``results``, ``failures`` and ``not_run``.

        Raises:
            RecipeError: all mistakes of the recipe.
            UsageError: the recipe has no such stage, there is no such engine or partition.
            OtherRecipeError: the corpus is made by another recipe.
            StorageError: the root cannot be reached.

        >>> outcome = lake.run("tickets.yaml", to="cleaned")
        >>> outcome.succeeded, [result.status for result in outcome.results]
        (True, ['skipped', 'skipped', 'skipped'])
        """
        from contextlib import ExitStack, suppress

        from winnowry.api.recipes import read_recipe, recipe_file, recipe_path
        from winnowry.core.errors import StorageError
        from winnowry.core.progress import with_listener
        from winnowry.promotion.corpus_recipe import claim_corpus
        from winnowry.recipe.model import Recipe
        from winnowry.runs.direct import run_direct
        from winnowry.runs.order import Runner
        from winnowry.runs.project import find_project
        from winnowry.runs.request import RunRequest, stages_to_run
        from winnowry.stages.graph import stage_of

        _refuse_start_of_worker()
        argument = recipe if isinstance(recipe, Recipe) else recipe_path(recipe)
        checked = read_recipe(argument)
        if to is not None:
            stage_of(checked, to)
        with ExitStack() as until_done:
            file = until_done.enter_context(recipe_file(argument)) if dagster else None
            request = RunRequest(
                self.workspace,
                checked,
                find_project(),
                names_of(partitions),
                to,
                allow_missing,
                jobs,
                file,
                engine,
                retry_refused,
                names_of(force),
            )
            request.check_forced()
            request.open_engine()
            stages_to_run(request)  # refuses a recipe that cannot run to its end before anything is written
            with suppress(StorageError):  # the run meets it too, and says at which stage
                claim_corpus(self.workspace, checked, take_over=take_over)
            runner: Runner = run_direct
            if dagster:
                from winnowry.runs.dagster import run_in_dagster as runner
            return runner(request, with_listener(progress))

    def plan(self, recipe: RecipeArgument, set: str | Sequence[str] = ()) -> Plan:
        """What a run would do, and why; writes nothing.

        Args:
            recipe: path, name in the project's ``recipes/``, or :class:`Recipe`.
            set: values to change for this call, ``ADDRESS=VALUE``, e.g. ``text.length.min_words=80``.

        Returns:
            A line for every stage and partition, in the order of a run; ``to_run`` are those that would run.

        Raises:
            RecipeError: all mistakes of the recipe, or columns that do not fit their tables.
            EmptySourceError: a source matches no object.

        >>> plan = lake.plan("tickets.yaml", set=["text.length.min_words=5"])
        >>> [entry.stage for entry in plan.to_run][:2]
        ['cleaned', 'duplicates']
        """
        from winnowry.api.recipes import read_recipe
        from winnowry.runs.project import find_project
        from winnowry.stages.plan import plan

        suites = find_project().module("expectations.registry").suites_for
        return plan(self.workspace, read_recipe(recipe, names_of(set)), suites)

    def what_if(self, recipe: RecipeArgument, set: str | Sequence[str]) -> WhatIf:
        """What changed rules would keep and drop, counted from stored columns; computes and writes nothing.

        Args:
            recipe: path, name in the project's ``recipes/``, or :class:`Recipe`.
            set: values to change, ``ADDRESS=VALUE``, e.g. ``text.length.min_words=80``.

        Raises:
            RecipeError: all mistakes of the recipe, or of the changes.
            NotFoundError: nothing was cleaned yet.
            UsageError: the recipe makes records of records, which cannot be judged by stored columns.

        >>> answer = lake.what_if("tickets.yaml", ["text.length.min_words=1"])
        >>> answer.kept_now, answer.kept_then
        (3, 4)
        """
        from winnowry.api.recipes import read_recipe
        from winnowry.inspect.what_if import what_if

        return what_if(self.workspace, read_recipe(recipe), read_recipe(recipe, names_of(set)))

    # ------------------------------------------------------------------------------------------------------ read

    def table(self, name: str, version: int | str | None = None) -> Table:
        """A table at one version.

        Args:
            name: ``CORPUS.TABLE``, e.g. ``tickets.published``.
            version: number, or tag such as ``prod`` or ``v3``; the latest audited version when None.

        Raises:
            NotFoundError: no such corpus, table or version.

        >>> lake.table("tickets.published", "prod").to_arrow().num_rows
        3
        """
        from winnowry.api.table import open_table

        corpus, dot, table = name.partition(".")
        if not dot:
            raise UsageError(f"table {name!r}: expected CORPUS.TABLE, such as {name}.published")
        return open_table(self.workspace, corpus, table, version)

    def tables(self) -> list[str]:
        """Names of all tables, ``CORPUS.TABLE``, and of the system views that :meth:`sql` knows.

        >>> lake.tables()[:3]
        ['tickets.cleaned', 'tickets.duplicates', 'tickets.gates']
        """
        from winnowry.reading.query import known_tables

        return known_tables(self.workspace)

    def sql(self, query: str, *, limit: int | None = None) -> pa.Table:
        """Run one SELECT over the tables, ``CORPUS.TABLE``, at their latest audited versions, and over releases.

        Args:
            query: in DuckDB's dialect; queries only read. ``CORPUS.published`` is the release that the recipe's tag
                (``prod``) is on, ``CORPUS.published@v2`` names one, ``CORPUS.published@latest`` is the newest version.
                The views ``tables``, ``versions``, ``columns``, ``ledger`` and ``gates`` describe the lake.
            limit: stop after this many rows; all of them when None.

        Raises:
            NotFoundError: the query names a table that is not there.
            UsageError: it cannot be parsed or bound, or does more than read.
            LakehouseError: it failed while it ran.

        >>> lake.sql("select reason, count(*) n from tickets.quarantine group by 1").to_pylist()
        [{'reason': 'min_words', 'n': 1}]
        """
        from winnowry.reading.query import run_sql

        return run_sql(self.workspace, query, max_rows=limit)

    def explain(self, record_id: str, corpus: str | None = None) -> Walk:
        """What every stage did with a record, and why it ended where it did.

        Args:
            record_id: record id, the first 8 or more characters of it, the id that its source gave it, or its place
                ``URI:POSITION``. One that was erased has the status ``erased``, and the verdict says when.
            corpus: look only here; in all corpora when None.

        Raises:
            NotFoundError: no table knows such a record, or no such corpus.
            UsageError: several records match.

        >>> lake.explain("T-4").status
        'quarantined'
        """
        from winnowry.inspect.explain import explain

        return explain(self.workspace, record_id, corpus)

    # -------------------------------------------------------------------------------------------------- releases

    def releases(self, corpus: str) -> list[Release]:
        """Releases of a corpus, the newest first.

        Raises:
            NotFoundError: no such corpus, or it has no release.

        >>> [release.name for release in lake.releases("tickets")]
        ['v1']
        """
        from winnowry.releases.releases import releases

        return releases(self.workspace, corpus)

    def release(self, corpus: str, tag: str | None = None) -> Release:
        """One release.

        Args:
            corpus: the corpus.
            tag: its name (``v3``) or a tag on it (``prod``); the newest release when None.

        Raises:
            NotFoundError: no such corpus or release.

        >>> lake.release("tickets", "prod").rows
        3
        """
        from winnowry.releases.releases import find_release, newest

        return newest(self.workspace, corpus) if tag is None else find_release(self.workspace, corpus, tag)

    def diff(self, corpus: str, old: str, new: str) -> ReleaseDiff:
        """Compare two releases: records that entered and left, and what changed in the recipe.

        Raises:
            NotFoundError: one of them is not there.

        >>> lake.diff("tickets", "v1", "prod").added
        0
        """
        from winnowry.releases.releases import release_diff

        return release_diff(self.workspace, corpus, old, new)

    def rollback(self, corpus: str, release: str, tag: str | None = None) -> Rollback:
        """Point a tag at a release; nothing is rewritten, and readers of the tag see it at once.

        On an older release the tag is held there, whatever is published; put on the newest, it follows the next ones
        again.

        Args:
            corpus: the corpus.
            release: where the tag is to point.
            tag: tag to move; the only one that is not a release's own name when None.

        Raises:
            NotFoundError: no such release or tag.
            UsageError: several tags could be meant, or the tag is a release's own name.

        >>> lake.rollback("tickets", "v1").after
        'v1'
        """
        from winnowry.releases.releases import rollback

        return rollback(self.workspace, corpus, release, tag)

    def export(
        self,
        corpus: str,
        format: ExportFormat,
        out: str | os.PathLike[str],
        tag: str | None = None,
        *,
        seed: int = 0,
        profile: Literal["tc609", "messages", "sharegpt", "preference"] | None = None,
    ) -> Export:
        """Write a release as files, in one random order over the whole corpus; the same seed gives the same bytes.

        Args:
            corpus: the corpus.
            format: ``jsonl``, ``parquet`` or ``webdataset``; of annotations also ``coco``, ``yolo``, ``voc``, ``cvat``
                or ``kitti``.
            out: folder or ``s3://`` URI that holds no export yet.
            tag: release or tag; ``prod`` where there is one, else the newest release.
            seed: of the shuffle.
            profile: record format of JSON Lines: ``tc609`` (SAC/TC609); of conversations and pairs ``messages``,
                ``sharegpt`` or ``preference``.

        Raises:
            NotFoundError: no such corpus or release.
            UsageError: an unknown format or profile, the folder holds an export, or the release lacks what the profile
                needs.
            StorageError: the lake could not be read, or the folder not be written.

        >>> done = lake.export("tickets", "jsonl", folder / "out", "v1")
        >>> done.rows, [file.name for file in done.files]
        (3, ['part-00000-of-00001.jsonl'])
        """
        from winnowry.releases.export import export

        return export(self.workspace, corpus, format, os.fspath(out), tag, seed=seed, profile=profile)

    # --------------------------------------------------------------------------------------------------- columns

    def add_column(
        self,
        corpus: str,
        name: str,
        *,
        sql: str | None = None,
        op: str | Operator | None = None,
        python: str | None = None,
        table: str = "published",
        type: str | None = None,
        where: str | None = None,
        fragments: int | None = None,
        max_null_fraction: float = 0.0,
        on_error: Literal["fail", "null"] = "fail",
        batch_rows: int | None = None,
        workers: int | None = None,
        timeout_s: float = 900.0,
        replace: bool = False,
        version: str | None = None,
        progress: Progress | None = None,
    ) -> ColumnResult:
        """Add a column to a table that is there; it is computed beside the data, judged, and only then seen.

        Args:
            corpus: the corpus.
            name: of the column.
            sql: SQL expression over the table's columns. Give one of ``sql``, ``op`` and ``python``.
            op: operator, or ``OP:key=value,…`` as on the command line.
            python: ``FILE:FUNCTION``, relative to the working directory; its parameters name the columns it reads, as
                Arrow arrays.
            table: table of the corpus.
            type: Arrow type of a ``python`` column, where its answers do not tell.
            where: SQL predicate; only these rows get a value, the others are null.
            fragments: a trial: compute so many fragments and change nothing.
            max_null_fraction: rows that may be null or NaN, as a share of those that should have a value, 0 to 1.
            on_error: a row that the function fails on stops everything (``fail``) or has no value (``null``).
            batch_rows: rows given to the function at once.
            workers: processes that compute; 1 for a GPU.
            timeout_s: seconds that a function may take for a batch; 0: no limit.
            replace: take the place of a column of this name, in one commit.
            version: go back to a specification that was replaced, by its hash; see :meth:`columns`.
            progress: hears how many rows are computed.

        Raises:
            NotFoundError: no such corpus or table.
            UsageError: the column does not fit the table.
            ColumnGateFailed: its gate refused it; the table is unchanged.
            DataError: computing it failed.

        >>> lake.add_column("tickets", "per_token", sql="n_chars / n_tokens", fragments=1).status
        'trial'
        """
        from winnowry.api.columns import ColumnRequest
        from winnowry.columns.fill import add_column
        from winnowry.columns.spec import Resources
        from winnowry.runs.project import find_project

        _refuse_start_of_worker()
        request = ColumnRequest(
            corpus, table, name, sql, op, python, type, where, version, max_null_fraction, on_error,
            Resources(batch_rows, workers, timeout_s),
        )  # fmt: skip
        return add_column(
            self.workspace,
            corpus,
            request.specification(self.workspace),
            suites=find_project().module("expectations.registry").suites_for,
            progress=progress,
            fragments=fragments,
            take_place=replace or version is not None,
        )

    def columns(self, corpus: str, table: str | None = None) -> list[ListedColumn]:
        """Columns that were added to tables of a corpus, and how far each is.

        Args:
            corpus: the corpus.
            table: only this table; all of them when None.

        Raises:
            NotFoundError: no such corpus or table.

        >>> lake.columns("tickets")
        []
        """
        from winnowry.columns.listing import list_columns

        return list_columns(self.workspace, corpus, table)

    def drop_column(self, corpus: str, name: str, table: str = "published") -> int:
        """Drop an added column; older versions and tags keep it.

        Returns:
            The version of the table without it.

        Raises:
            NotFoundError: no such corpus or table.
            UsageError: no such column was added, or another added one reads it.

        >>> lake.drop_column("tickets", "tone")
        Traceback (most recent call last):
        winnowry.core.errors.UsageError: no column 'tone' was added to tickets.published; added: none
        """
        from winnowry.columns.listing import drop

        self.workspace.lake.check_table(corpus, table)
        return drop(self.workspace, corpus, table, name)

    # ---------------------------------------------------------------------------------------------------- upkeep

    def doctor(self) -> Diagnosis:
        """Check packages, store, clock, conditional writes and tables.

        Returns:
            The diagnosis; a broken store is a failed check, and no error.

        >>> lake.doctor().healthy
        True
        """
        from winnowry.inspect.doctor import doctor

        return doctor(self.root)

    def maintain(
        self,
        corpora: str | Sequence[str] = (),
        *,
        keep_days: float = 7.0,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> list[Maintenance]:
        """Merge small fragments, index new rows, remove old versions and leftovers; beside whatever is at work.

        Args:
            corpora: only these; all of them when empty.
            keep_days: versions and unfinished work younger than so many days stay, at least 1; tagged versions stay
                for ever.
            dry_run: say what would be done, and change nothing.
            progress: hears about every table.

        Raises:
            NotFoundError: no such corpus.
            UsageError: ``keep_days`` is less than a day.

        >>> [upkeep.corpus for upkeep in lake.maintain(dry_run=True)]
        ['tickets']
        """
        from winnowry.inspect.maintain import maintain

        return maintain(self.workspace, names_of(corpora), keep_days=keep_days, dry_run=dry_run, progress=progress)

    def verify(
        self,
        corpora: str | Sequence[str] = (),
        *,
        depth: Depth | None = None,
        repair: bool = False,
        progress: Progress | None = None,
    ) -> Verification:
        """Compare files with their seals: the size and SHA-256 of each, kept since it was written.

        Args:
            corpora: only these; all of them when empty.
            depth: ``sizes``, ``checksums`` (what a bucket states) or ``contents`` (read back); None: contents of a
                folder of at most 64 GiB, the sizes of a larger one, and the checksums that a bucket states.
            repair: make damaged rows and indexes again, upstream first, from inputs that are sound; then look again.
            progress: hears about files, and about stages that are made again.

        Returns:
            What was compared and found; ``sound`` says whether everything is as it was written.

        Raises:
            NotFoundError: no such corpus.

        >>> lake.verify().sound
        True
        """
        from winnowry.core.progress import with_listener
        from winnowry.inspect.repair import remove_history
        from winnowry.inspect.repair import repair as make_again
        from winnowry.inspect.verify import verify, with_repairs
        from winnowry.runs.project import find_project

        first = verify(self.workspace, names_of(corpora), depth=depth, progress=progress)
        if not repair or first.sound:
            return first
        suites = find_project().module("expectations.registry").suites_for
        repaired = make_again(self.workspace, first, suites, with_listener(progress))
        left = verify(self.workspace, names_of(corpora), depth=depth, progress=progress)
        left, removed = remove_history(self.workspace, left)
        return with_repairs(first, (*repaired, *removed), left)

    def erase(
        self,
        corpus: str,
        ids: str | Sequence[str] = (),
        *,
        list: str | os.PathLike[str] | None = None,
        where: str | None = None,
        uri: str | None = None,
        yes: bool = False,
    ) -> Certificate:
        """Erase records from every version of every table, with what was made from them, and keep them out for ever.

        Releases keep their numbers. An erasure that was cut off is finished by calling it again.

        Args:
            corpus: the corpus.
            ids: names: record ids, ids of the source, SHA-256 of contents, landing objects, or places
                ``URI:POSITION``.
            list: takedown list: a plain text of one name a line, or a ``.csv`` or ``.jsonl`` with the columns ``id``
                (and ``source``), ``record_id``, ``sha256``, ``uri``.
            where: an SQL condition: records for which it holds in any table that has the columns.
            uri: all records of a landing object.
            yes: do it; without, only say what would be erased.

        Returns:
            The certificate: what was written anew, and ``proven``, whether every object was decoded and none holds
            anything; ``unknown`` names what is in no table, and is kept out when it lands.

        Raises:
            NotFoundError: no such corpus.
            UsageError: nothing is named, lines of the list are wrong, or somebody is at work on the corpus.

        >>> plan = lake.erase("tickets", ["T-3", "T-99"])
        >>> plan.records, plan.releases, plan.unknown
        (1, {'prod': 1, 'v1': 1}, ('T-99',))
        """
        from winnowry.erasure.erase import erase
        from winnowry.erasure.takedown import read_takedown_list

        listed = read_takedown_list(list) if list is not None else None
        return erase(self.workspace, corpus, names=names_of(ids), listed=listed, where=where, uri=uri, dry_run=not yes)


def _refuse_start_of_worker() -> None:
    """Refuse work in a process that is about to do work for another one: it imports the script that started it."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UsageError(
            "a process of this run imported the script that started it, and the script began another run: put the "
            'call below `if __name__ == "__main__":`'
        )
