from __future__ import annotations

from pathlib import Path

import pytest

from winnowry.core.errors import BucketNotFoundError, UsageError
from winnowry.storage.local import LocalStore
from winnowry.storage.open import open_store
from winnowry.storage.probe import conditional_put_race


def test_check_says_that_the_folder_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BucketNotFoundError, match="nowhere"):
        LocalStore(str(tmp_path / "nowhere")).check()


def test_a_link_to_a_parent_folder_does_not_loop(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("1")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    uris = [info.uri for info in LocalStore(str(tmp_path)).list("**/x.txt")]
    assert uris[0] == str(tmp_path / "a/loop/a/x.txt") or uris[0] == str(tmp_path / "a/x.txt")
    assert str(tmp_path / "a/x.txt") in uris


def test_a_failed_write_leaves_the_old_content_and_no_rubbish(tmp_path: Path) -> None:
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise RuntimeError("source broke")

    store = LocalStore(str(tmp_path))
    store.write("x", b"old")
    with pytest.raises(RuntimeError, match="source broke"):
        store.upload("x", Broken())  # type: ignore[arg-type]
    assert store.read("x") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_an_unknown_scheme_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="gs://"):
        open_store("gs://bucket/lake")


def test_the_race_reports_a_store_that_lets_two_writers_win(tmp_path: Path) -> None:
    class Careless(LocalStore):
        def write(self, uri: str, data: bytes, *, if_absent: bool = False) -> bool:
            return super().write(uri, data)

    result = conditional_put_race(Careless(str(tmp_path)), rounds=2, writers=4)
    assert result.winners == (4, 4)
    assert not result.is_atomic
