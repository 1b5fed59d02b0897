"""Artefacts: files below the root by their content, copied once, verified where they are read, removed at the end."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import pytest

from tests.s3_server import S3Server
from winnowry.core.errors import StorageError, UsageError
from winnowry.storage import artefacts as module
from winnowry.storage.artefacts import Artefacts, process_folder
from winnowry.storage.objects import ObjectStore
from winnowry.storage.open import open_store

CONTENT = b"one\ntwo\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "local":
        return open_store(str(tmp_path / "lake"))
    server: S3Server = request.getfixturevalue("s3_server")
    return open_store(f"s3://{server.make_bucket()}/lake", server.settings)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "list.txt"
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_an_object_named_by_its_hash_and_comes_back(store: ObjectStore, file: Path) -> None:
    assert Artefacts(store).put(file) == SHA256
    assert [info.uri for info in store.list("artefacts/*")] == [store.resolve(f"artefacts/{SHA256}")]
    file.unlink()
    there: Artefacts = pickle.loads(pickle.dumps(Artefacts(store)))
    assert there.get(SHA256).read_bytes() == CONTENT
    assert there.get(SHA256) == there.get(SHA256)


def test_content_that_is_there_is_not_written_again(store: ObjectStore, file: Path, tmp_path: Path) -> None:
    Artefacts(store).put(file)
    (before,) = store.list("artefacts/*")
    copy = tmp_path / "another name.txt"
    copy.write_bytes(CONTENT)
    assert Artefacts(store).put(copy) == SHA256
    assert list(store.list("artefacts/*")) == [before]


def test_a_large_file_is_streamed(store: ObjectStore, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE_BYTES", 3)
    assert Artefacts(store).put(file) == SHA256
    assert store.read(f"artefacts/{SHA256}") == CONTENT


@pytest.mark.parametrize("at_once_bytes", [3, 100])
def test_a_file_that_changes_while_it_is_copied_is_no_object(
    store: ObjectStore, file: Path, monkeypatch: pytest.MonkeyPatch, at_once_bytes: int
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE_BYTES", at_once_bytes)
    monkeypatch.setattr(module, "file_sha256", lambda path: "0" * 64)
    with pytest.raises(UsageError, match="changed while it was copied"):
        Artefacts(store).put(file)
    assert list(store.list("artefacts/**")) == []


def test_a_file_that_is_gone_is_named(store: ObjectStore, file: Path) -> None:
    file.unlink()
    with pytest.raises(UsageError, match=r"list\.txt: cannot be copied below the root: No such file"):
        Artefacts(store).put(file)


def test_other_bytes_are_refused_and_nothing_is_a_clear_error(store: ObjectStore, file: Path) -> None:
    artefacts = Artefacts(store)
    artefacts.put(file)
    (process_folder() / SHA256).unlink(missing_ok=True)  # a copy that another test made in this process
    store.write(f"artefacts/{SHA256}", b"one\ntwo?")
    other = "a" * 64
    with pytest.raises(StorageError, match=rf"artefacts/{SHA256}: holds other bytes.*delete it and run the stage"):
        artefacts.get(SHA256)
    with pytest.raises(StorageError, match=rf"artefacts/{other}: is gone; run the stage again"):
        artefacts.get(other)
    (process_folder() / SHA256).unlink(missing_ok=True)


def test_a_killed_copy_leaves_nothing_and_the_next_one_is_whole(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    store = open_store(str(tmp_path / "lake"))
    monkeypatch.setattr(module, "_AT_ONCE_BYTES", 3)
    upload = type(store).upload
    monkeypatch.setattr(type(store), "upload", lambda self, uri, stream: upload(self, uri, Killed()))
    with pytest.raises(KeyboardInterrupt):
        Artefacts(store).put(file)
    monkeypatch.undo()
    assert list(store.list("artefacts/*")) == []
    assert Artefacts(store).put(file) == SHA256


def test_a_tree_holds_files_under_the_paths_they_had(store: ObjectStore, file: Path, tmp_path: Path) -> None:
    artefacts = Artefacts(store)
    contents = {"/data/a list.txt": artefacts.put(file), "/data/sub/b.txt": SHA256}
    tree = artefacts.tree(contents)
    assert {path.relative_to(tree).as_posix() for path in tree.rglob("*.txt")} == {"data/a list.txt", "data/sub/b.txt"}
    assert (tree / "data/sub/b.txt").read_bytes() == CONTENT
    assert artefacts.tree(dict(reversed(contents.items()))) == tree
    assert artefacts.tree({"/data/a list.txt": SHA256}) != tree


def test_threads_that_make_a_tree_at_once_get_the_same(store: ObjectStore, file: Path) -> None:
    artefacts = Artefacts(store)
    contents = {f"/data/{number}.txt": artefacts.put(file) for number in range(50)}
    trees: list[Path] = []
    threads = [threading.Thread(target=lambda: trees.append(artefacts.tree(contents))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trees) == 8
    assert len(set(trees)) == 1
    assert len(list((trees[0] / "data").iterdir())) == 50


SCRIPT = """
import os, sys
from winnowry.storage.artefacts import process_folder
print(process_folder(), flush=True)
if sys.argv[1] == "killed":
    os._exit(9)
"""


def folder_of(how: str, temporary: Path) -> Path:
    """The folder of a process that ended so."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    run = subprocess.run([sys.executable, "-c", SCRIPT, how], env=environment, capture_output=True, text=True)
    assert run.stderr == ""
    return Path(run.stdout.strip())


def test_the_folder_of_a_process_is_removed_when_it_ends(tmp_path: Path) -> None:
    folder = folder_of("ended", tmp_path)
    assert folder.parent == tmp_path
    assert not folder.exists()


def test_the_folder_of_a_killed_process_is_removed_by_the_next_one(tmp_path: Path) -> None:
    killed, alive, young = folder_of("killed", tmp_path), folder_of("killed", tmp_path), folder_of("killed", tmp_path)
    for folder in (killed, alive):
        os.utime(folder, (0, 0))
    handle = os.open(alive / "lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    folder_of("ended", tmp_path)
    os.close(handle)
    assert not killed.exists()
    assert alive.exists()
    assert young.exists(), "it may be another process's that has no lock yet"
