"""Processes that are made to die: a walk of the small corpus, with a tap after every durable effect.

A child is forked from a server that has imported everything but Lance (which must not be forked), so that killing one
costs about a second. Between two taps nothing durable happens: to die after the n-th effect is to die anywhere before
the next. Kills *inside* an effect come from a timer.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

CORPUS = "small"
YEARS = ("2019", "2020")
PER_YEAR = 15
PARTITIONED = ("raw", "cleaned", "scored")

_context = get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.preload"])


def land_first(root: Path) -> None:
    """Two years of 15 good pages each."""
    from tests.small_corpus import land, write_recipe

    root.mkdir(parents=True, exist_ok=True)
    land(root, years=YEARS, per_year=PER_YEAR)
    write_recipe(root)


def land_second(root: Path) -> None:
    """2020 corrected: three pages less, two rewritten; 2021 arrives."""
    import gzip
    import json

    from tests.small_corpus import land

    kept = {year: (root / f"landing/small/{year}.jsonl.gz").stat() for year in YEARS}
    land(root, years=("2019", "2020", "2021"), per_year=PER_YEAR)
    first = root / "landing/small/2019.jsonl.gz"
    os.utime(first, ns=(kept["2019"].st_atime_ns, kept["2019"].st_mtime_ns))
    changed = root / "landing/small/2020.jsonl.gz"
    lines = gzip.decompress(changed.read_bytes()).splitlines()
    out = []
    for line in lines:
        if any(f'"2020-{n}"'.encode() in line for n in (3, 4, 5)):
            continue
        if any(f'"2020-{n}"'.encode() in line for n in (8, 9)):
            record = json.loads(line)
            record["html"] = record["html"].replace("</main>", "<p>This page was corrected by its author.</p></main>")
            line = json.dumps(record).encode()
        out.append(line)
    changed.write_bytes(gzip.compress(b"\n".join(out) + b"\n", mtime=0))
    # The second landing is a fixed moment later, so that no file system's clock can hide it.
    os.utime(changed, ns=(kept["2020"].st_atime_ns, kept["2020"].st_mtime_ns + 10**9))


class Taps:
    """Names every durable effect as it has happened, and dies at one of them.

    Args:
        log: file that gets one name a line.
        kill_at: index of the effect to die after; None for none.
    """

    def __init__(self, log: Path | None, kill_at: int | None) -> None:
        self.log, self.kill_at, self.n = log, kill_at, 0
        self.where = ""

    def reach(self, name: str) -> None:
        if self.log is not None:
            with self.log.open("a") as out:
                out.write(f"{self.where} {name}\n")
        if self.kill_at is not None and self.n == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.n += 1

    def after(self, owner: Any, attribute: str, name: Callable[..., str], *, static: bool = False) -> None:
        plain = getattr(owner, attribute)

        @functools.wraps(plain)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            result = plain(*args, **kwargs)
            self.reach(name(*args, **kwargs))
            return result

        setattr(owner, attribute, staticmethod(tapped) if static else tapped)

    def install(self) -> None:
        import lance
        import lance.fragment
        from lance.dataset import DatasetOptimizer, Tags

        from winnowry.storage.local import LocalStore

        def table(target: Any) -> str:
            return str(getattr(target, "uri", target)).rstrip("/").rsplit("/", 1)[-1].removesuffix(".lance")

        def operation(target: Any, what: Any, *_: Any, **how: Any) -> str:
            kind = type(getattr(what, "operation", what)).__name__
            return f"{'detach' if how.get('detached') else 'commit'}:{table(target)}:{kind}"

        self.after(lance.LanceDataset, "commit", operation, static=True)
        self.after(lance, "write_dataset", lambda _, uri, *a, **k: f"append:{table(uri)}")
        self.after(lance.fragment, "write_fragments", lambda _, target, *a, **k: f"files:{table(target)}")
        self.after(lance.LanceDataset, "create_scalar_index", lambda ds, *a, **k: f"index:{table(ds)}")
        self.after(lance.LanceDataset, "add_columns", lambda ds, *a, **k: f"columns:{table(ds)}")
        self.after(lance.LanceFragment, "delete", lambda *a, **k: "delete-rows")
        self.after(DatasetOptimizer, "optimize_indices", lambda *a, **k: "optimize-index")
        self.after(Tags, "create", lambda _, tag, *a, **k: f"tag:{tag}")
        self.after(Tags, "update", lambda _, tag, *a, **k: f"move-tag:{tag}")

        def written(_: Any, uri: str, data: bytes, **__: Any) -> str:
            parts = uri.split(f"/{CORPUS}/", 1)[-1].split("/")
            state = ""
            if parts[0] == "promotions":
                import json

                state = ":" + json.loads(data)["state"]
            return f"write:{parts[0]}{state}"

        self.after(LocalStore, "write", written)


def suites_of(kind: str) -> Any:
    """The real expectation suites, or none at all."""
    if kind == "real":
        from expectations.registry import suites_for

        return suites_for
    return lambda *_: []


def walk(
    root: Path,
    *,
    suites: str = "none",
    log: Path | None = None,
    kill_at: int | None = None,
    kill_after: float | None = None,
    second: bool = False,
    partitions: tuple[str, ...] | None = None,
    force: bool = False,
    to: str = "published",
) -> list[tuple[str, str | None, str]]:
    """Every stage, in this process; dies where it is told to.

    Args:
        root: an absolute folder that :func:`land_first` has filled.
        suites: ``none`` or ``real``.
        log: gets the names of the effects.
        kill_at: die after this effect.
        kill_after: die this many seconds after the walk has begun.
        second: bring the lake up to date with the first landing, then land the second, and only then start counting.
        partitions: order of the partitions; all of them, sorted, when None.
        force: run fresh stages too.
        to: last stage.
    """
    os.environ["WINNOWRY_WORKERS"] = "1"
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.partitions import partitions_of
    from winnowry.recipe.load import load_recipe
    from winnowry.stages.run import run_stage, stages_of

    if second and not (root / "landing/small/2021.jsonl.gz").exists():
        walk(root)
        land_second(root)
    taps = Taps(log, kill_at)
    if log is not None or kill_at is not None:
        taps.install()
    workspace, recipe = Workspace.open(str(root)), load_recipe(root / "small.yaml")
    if kill_after is not None:
        timer = threading.Timer(kill_after, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()
    done = []
    stages = stages_of(recipe)
    for stage in stages[: stages.index(to) + 1]:
        keys: list[str | None] = [None]
        if stage in PARTITIONED:
            keys = list(partitions if partitions is not None else partitions_of(workspace, recipe))
        for key in keys:
            taps.where = f"{stage}[{key or ''}]"
            result = run_stage(workspace, recipe, stage, key, suites=suites_of(suites), run_id="faults", force=force)
            done.append((stage, key, result.status))
    return done


def spawn(target: Callable[..., Any], *args: Any, **kwargs: Any) -> BaseProcess:
    """Start a child that has nothing to import but Lance."""
    process = _context.Process(target=target, args=args, kwargs=kwargs)
    process.start()
    return process


def run_child(target: Callable[..., Any], *args: Any, timeout: float = 120, **kwargs: Any) -> int:
    """Run a child to its end and return its exit code; -9 is a kill."""
    process = spawn(target, *args, **kwargs)
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"{target.__name__} did not end within {timeout} s")
    return process.exitcode


def race(
    root: Path,
    stage: str,
    partition: str | None,
    *,
    meet: Path,
    racers: int,
    point: str,
    outcome: Path,
    delay: float = 0.0,
) -> None:
    """Run one stage, waiting at a point of its promotion until all racers are there; write what came of it.

    Args:
        root: the root.
        stage: stage to run.
        partition: its partition.
        meet: folder in which the racers announce themselves.
        racers: how many there are.
        point: name of the barrier's point.
        outcome: file that gets the status, or the name and message of the error.
        delay: seconds to wait on after all have come.
    """
    import time

    os.environ["WINNOWRY_WORKERS"] = "1"
    from winnowry.lakehouse.barrier import barrier
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.load import load_recipe
    from winnowry.stages.run import run_stage

    met: list[str] = []

    def hook(name: str) -> None:
        if name != point or met:
            return
        met.append(name)
        (meet / str(os.getpid())).touch()
        end = time.monotonic() + 20
        while len(list(meet.iterdir())) < racers and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(delay)

    barrier.hook = hook
    try:
        result = run_stage(
            Workspace.open(str(root)),
            load_recipe(root / "small.yaml"),
            stage,
            partition,
            suites=suites_of("none"),
            run_id="race",
        )
        said = result.status
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    outcome.write_text(said)


def walk_and_tell(root: Path, told: Path, *, file_limit: int | None = None, force: bool = False) -> None:
    """Walk; write the error that ends it, and end with exit code 1.

    Args:
        root: the root.
        told: file for the error's name and message.
        file_limit: writes beyond this many bytes of a file fail.
        force: run fresh stages too.
    """
    import resource
    import sys

    if file_limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, hard))
    try:
        walk(root, force=force)
    except Exception as error:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        told.write_text(f"{type(error).__name__}: {error}")
        sys.exit(1)
