"""The folder of the Dagster instance: settings that block nobody, made once."""

from __future__ import annotations

import fcntl
import hashlib
import threading
import time
from pathlib import Path

import pytest

from winnowry.runs import home as homes
from winnowry.runs.home import open_instance, prepare_home


@pytest.fixture(autouse=True)
def no_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "_create", lambda home: None)


def test_settings_of_an_earlier_version_are_replaced_and_a_persons_own_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = b"concurrency: {pools: {granularity: op, default_limit: 2}}\n"
    monkeypatch.setattr(homes, "_OUTDATED", frozenset({hashlib.sha256(old).hexdigest()}))
    settings = tmp_path / "home" / "dagster.yaml"
    settings.parent.mkdir()
    settings.write_bytes(old)
    prepare_home(tmp_path / "home", tmp_path)
    assert "granularity: run" in settings.read_text(encoding="utf-8")
    settings.write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    prepare_home(tmp_path / "home", tmp_path)
    assert settings.read_text(encoding="utf-8") == "telemetry: {enabled: false}\n"


def test_a_command_that_waits_for_another_says_so_after_a_while_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(homes, "_SAY_AFTER_S", 0.2)
    with (tmp_path / ".creating").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=prepare_home, args=(tmp_path, tmp_path))
        waiting.start()
        time.sleep(1.0)
        assert waiting.is_alive()
        fcntl.flock(held, fcntl.LOCK_UN)
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    assert [
        message
        for message in caplog.messages
        if f"waiting: another process makes the Dagster home {tmp_path}" in message
    ]


def test_runs_of_a_command_claim_no_slot_whatever_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\nconcurrency: {pools: {granularity: op, default_limit: 1}}\n", encoding="utf-8"
    )
    with open_instance(tmp_path) as instance:
        pools = instance.get_concurrency_config().pool_config
        assert pools.pool_granularity is not None
        assert pools.pool_granularity.value == "run"
        assert pools.default_pool_limit == 1
