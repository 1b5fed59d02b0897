"""The folder of the Dagster instance that commands and the UI share."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winnowry.runs.project import home_folder

if TYPE_CHECKING:
    import dagster as dg

logger = logging.getLogger(__name__)

_SETTINGS = "dagster.yaml"
_CREATED = ".created"  # beside the settings: the instance's databases have their tables
_LOCK = ".creating"
_SAY_AFTER_S, _ASK_EVERY_S = 3.0, 0.1
_OUTDATED = frozenset({"bc40c9f174b370d44ba8f0e8fb0d5ddf39f38938a15711b9c055ea641671c199"})
"""SHA-256 of settings that earlier versions copied here: with slots that a killed process holds for ever."""


def dagster_home() -> Path:
    """Where the instance lies: ``WINNOWRY_HOME``, ``DAGSTER_HOME`` or ``.winnowry`` beside the lake of the project."""
    for name in ("WINNOWRY_HOME", "DAGSTER_HOME"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser().resolve()
    return home_folder() / ".winnowry"


def is_made(home: Path) -> bool:
    """Whether an instance lies there that this version has opened before."""
    return (home / _CREATED).exists()


def prepare_home(home: Path, project: Path) -> Path:
    """Make the folder and the databases in it, with the project's ``dagster.yaml``, else the packaged one.

    Settings that are there stay, unless they are those of an earlier version, unchanged. One process at a time makes
    the databases: two that did it at once would leave an instance that never opens again.
    """
    home.mkdir(parents=True, exist_ok=True)
    if is_made(home) and not _outdated(home / _SETTINGS):
        return home
    with _locked(home / _LOCK, f"another process makes the Dagster home {home}"):
        _write_settings(home, project)
        if not is_made(home):
            _create(home)
            (home / _CREATED).touch()
    return home


def _outdated(settings: Path) -> bool:
    return not settings.is_file() or hashlib.sha256(settings.read_bytes()).hexdigest() in _OUTDATED


def _write_settings(home: Path, project: Path) -> None:
    from winnowry.runs.template import template_root

    if not _outdated(home / _SETTINGS):
        return
    candidates = [project / _SETTINGS, template_root() / _SETTINGS]
    content = next((path.read_bytes() for path in candidates if not _outdated(path)), None)
    if content is not None:
        half = home / f"{_SETTINGS}.{os.getpid()}"
        half.write_bytes(content)
        half.replace(home / _SETTINGS)


def _create(home: Path) -> None:
    """Open the instance once, which makes the tables of its databases."""
    with _instance(home) as instance:
        instance.get_runs_count()
        instance.all_instigator_state()
        instance.event_log_storage.get_concurrency_run_ids()


@contextmanager
def open_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance for runs of this process, which never wait for a slot of a pool.

    A process that waits inside Dagster hears no Ctrl-C and says nothing; and who holds the slot may be long gone. The
    queue of the daemon still counts runs of the pools that a project has of its own.
    """
    with _instance(home, waiting=False) as instance:
        yield instance


def _instance(home: Path, *, waiting: bool = True) -> dg.DagsterInstance:
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    overrides: dict[str, Any] = {}
    if not waiting:
        with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance:
            settings = dict(instance.get_settings("concurrency") or {})
        overrides = {"concurrency": {**settings, "pools": {**settings.get("pools", {}), "granularity": "run"}}}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))


@contextmanager
def _locked(path: Path, held: str) -> Iterator[None]:
    """Hold a lock that ends with the process; says after three seconds for what it waits."""
    begin = time.monotonic()
    say_at = begin + _SAY_AFTER_S
    with path.open("wb") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > say_at:
                    logger.warning("waiting: %s (%.0f s)", held, time.monotonic() - begin)
                    say_at += 10 * _SAY_AFTER_S
                time.sleep(_ASK_EVERY_S)
        yield
