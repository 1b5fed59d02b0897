"""Is this machine and this store fit for winnowry? Every check says what it found and what to do."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from winnowry.core.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    StoreUnreachableError,
    UsageError,
    WinnowryError,
)
from winnowry.lakehouse.mending import ASIDE
from winnowry.storage.named import storage_named

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.storage.settings import StorageSettings

CheckStatus = Literal["ok", "warn", "fail", "skip"]

REQUIRED = ("winnowry", "pylance", "pyarrow", "great-expectations", "dagster", "duckdb", "boto3")
"""Packages whose absence breaks a command."""

_CLOCK_SKEW_S = 30.0  # beyond it listings and records disagree about what came first
_REFUSED_SKEW_S = 15 * 60.0  # AWS Signature Version 4 refuses requests beyond it
_SET_CLOCK = "synchronise this machine's clock (NTP); S3 refuses requests that are 15 minutes off"
_LISTED = 5  # names of one kind in a message


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        status: ``ok``; ``warn``: works, but look at it; ``fail``: do not run winnowry like this; ``skip``: could not
            be looked at because an earlier check failed.
        message: what was found.
        hint: what to do about it.
    """

    name: str
    status: CheckStatus
    message: str
    hint: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Diagnosis:
    """All checks, in order."""

    root: str
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """No check failed; warnings are allowed."""
        return all(check.status != "fail" for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as JSON-serialisable data."""
        return {"root": self.root, "healthy": self.healthy, "checks": [asdict(check) for check in self.checks]}


def doctor(root: str, settings: StorageSettings | None = None) -> Diagnosis:
    """Look at packages, store and tables. Writes small probe objects below the root and removes them.

    Args:
        root: folder or ``s3://bucket/prefix``.
        settings: how to reach it; from the environment when None.

    Returns:
        The diagnosis; a broken store is a failed check, not an exception.
    """
    checks = [_timed("packages", _packages)]
    opened: list[Workspace] = []

    def reach() -> Check:
        from winnowry.lakehouse.workspace import Workspace

        workspace = Workspace.open(root, settings)
        workspace.store.check()
        opened.append(workspace)
        return Check("store", "ok", f"{workspace.root} is reachable and writable")

    checks.append(_timed("store", reach))
    looks: tuple[tuple[str, Callable[[Workspace], Check]], ...] = (
        ("clock", _clock),
        ("conditional writes", _conditional_writes),
        ("tables", _tables),
        ("documents", _documents),
        ("unfinished promotions", _unfinished),
        ("lost rows", _lost),
        ("automation", _automation),
    )
    for name, look in looks:
        if opened:
            checks.append(_timed(name, lambda look=look: look(opened[0])))  # type: ignore[misc]
        else:
            checks.append(Check(name, "skip", "the store could not be reached"))
    return Diagnosis(opened[0].root if opened else root, tuple(checks))


def _timed(name: str, look: Callable[[], Check]) -> Check:
    started = time.perf_counter()
    try:
        check = look()
    except (WinnowryError, OSError, ValueError) as error:
        check = Check(name, "fail", str(error), _remedy(error))
    fields = {**asdict(check), "seconds": time.perf_counter() - started}
    return Check(**fields)


def _remedy(error: Exception) -> str | None:
    """What to do about a store that refuses, beyond what the error itself says."""
    if isinstance(error, AccessDeniedError):
        if "TimeTooSkewed" in str(error):
            return _SET_CLOCK
        return (
            "for S3 set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN with temporary keys), or "
            "AWS_PROFILE; they need to list, read, write and delete below the root. A folder must be yours to write."
        )
    if isinstance(error, BucketNotFoundError):
        return "make the bucket or the folder (winnowry makes neither), or correct --root or WINNOWRY_ROOT"
    if isinstance(error, StoreUnreachableError):
        return (
            "start the server, or correct AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL (unset both for AWS itself); for a "
            "certificate of your own set AWS_CA_BUNDLE"
        )
    if isinstance(error, UsageError):
        return "correct the setting that is named and call doctor again"
    return None


def _packages() -> Check:
    installed, missing = [f"python {platform.python_version()}"], []
    for name in REQUIRED:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", "fail", f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Check("packages", "ok", ", ".join(installed))


def _clock(ws: Workspace) -> Check:
    from winnowry.storage.probe import clock_skew_seconds

    skew = clock_skew_seconds(ws.store)
    if abs(skew) > _CLOCK_SKEW_S:
        difference = f"the store's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
        return Check("clock", "fail" if abs(skew) > _REFUSED_SKEW_S else "warn", difference, _SET_CLOCK)
    return Check("clock", "ok", f"within {_CLOCK_SKEW_S:.0f} s of the store's")


def _conditional_writes(ws: Workspace) -> Check:
    from winnowry.storage.probe import NEEDED, conditional_put_race

    race = conditional_put_race(ws.store)
    name = "conditional writes"
    if race.is_atomic:
        return Check(name, "ok", f"one winner in each of {race.rounds} races of {race.writers} writers")
    lost = sum(count != 1 for count in race.winners)
    return Check(
        name,
        "fail",
        f"{lost} of {race.rounds} races did not have exactly one winner"
        + (f", {race.wrong_content} kept a loser's data" if race.wrong_content else "")
        + ": commits to this store can be lost silently",
        NEEDED,
    )


def _tables(ws: Workspace) -> Check:
    with storage_named("tables", ws.root):
        # Lance reaches the store through a client of its own; where there is no table yet nothing else would try it.
        ws.lake.table(".winnowry-probe", "none").dataset_or_none()
    broken, opened = [], 0
    for corpus in ws.lake.corpora():
        for name in ws.lake.table_folders(corpus):
            try:
                with storage_named(f"{corpus}.{name}", ws.root):
                    view = ws.lake.open(corpus, name)
                    view.to_table(columns=view.schema.names[:1], limit=1)  # opening reads no data file
                opened += 1
            except (WinnowryError, OSError, ValueError) as error:
                broken.append(f"{corpus}.{name}: {error}")
    if broken:
        hint = "an older version may still open: lance.dataset(URI, version=N-1)"
        return Check("tables", "fail", _listed(broken, "; "), hint)
    return Check("tables", "ok", f"{opened} opened" if opened else "none yet")


def _listed(names: list[str], separator: str = ", ") -> str:
    more = f"{separator}and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return separator.join(names[:_LISTED]) + more


def _documents(ws: Workspace) -> Check:
    """Every file beside the tables can be read and is as it was written; what a power cut left torn is named."""
    from winnowry.inspect.documents import count_documents, damaged_documents

    damaged: list[str] = []
    aside: list[str] = []
    count = 0
    for corpus in ws.lake.corpora():
        base = ws.lake.corpus_uri(corpus)
        ws.lake.tags(corpus)  # sets aside those that are torn
        damaged += [document.message for document in damaged_documents(ws, corpus)]
        count += count_documents(ws, corpus)
        for folder in ("_versions", "_refs/tags"):
            aside += [info.uri for info in ws.store.list(f"{base}/*.lance/{folder}/*{ASIDE}")]
    if damaged:
        return Check("documents", "fail", _listed(damaged, "; "), "what cannot be restored can be made again by a run")
    if aside:
        message = f"cut short, as by a loss of power, and set aside: {_listed(aside)}"
        return Check("documents", "warn", message, "winnowry run RECIPE completes the lake; upkeep removes these files")
    return Check("documents", "ok", f"{count} read")


def _unfinished(ws: Workspace) -> Check:
    from winnowry.lakehouse.promotion import ABANDONED_AFTER

    committing, staged = [], []
    for corpus in ws.lake.corpora():
        records = ws.lake.records(corpus)
        for _, record in records.readable():
            if isinstance(record, WinnowryError):
                continue  # named above
            where = f"{corpus}/{record.stage}[{record.partition}]"
            if record.state == "committing":
                committing.append(where)
            elif record.state == "staged" and records.unmoved_for(record) > ABANDONED_AFTER:
                staged.append(where)
    name = "unfinished promotions"
    if committing:
        hint = "run these stages again: they roll forward what was interrupted"
        return Check(name, "warn", f"interrupted while committing: {_listed(committing)}", hint)
    if staged:
        hint = "candidates that nobody will promote; the next run of these stages abandons them"
        return Check(name, "warn", f"staged more than a day ago: {_listed(staged)}", hint)
    return Check(name, "ok", "none")


def _lost(ws: Workspace) -> Check:
    """Tables that hold less than their records promise, and tags of versions that are gone."""
    lost = []
    for corpus in ws.lake.corpora():
        for (stage, partition), _ in sorted(ws.lake.live_promotions(corpus).items()):
            live = ws.lake.live_record(corpus, stage, partition)
            lost += [f"{corpus}: {reason}" for reason in ws.lake.broken_promises(corpus, stage, partition, live)]
        lost += [f"{corpus}: {reason}" for reason in ws.lake.lost_tags(corpus)]
    if lost:
        hint = "winnowry run RECIPE makes lost rows again; winnowry verify says which releases are touched"
        return Check("lost rows", "fail", _listed(lost, "; "), hint)
    return Check("lost rows", "ok", "none: every table holds what its records promise")


def _automation(ws: Workspace) -> Check:
    from winnowry.stages.attempts import stored_steps

    stopped = [f"{corpus}/{step.sentence()}" for corpus in ws.lake.corpora() for step in stored_steps(ws, corpus)]
    if stopped:
        hint = "`winnowry plan` says which of them still stand; a change of data, recipe or rules starts them again"
        return Check("automation", "warn", _listed(stopped, "; "), hint)
    return Check("automation", "ok", "nothing was given up")
