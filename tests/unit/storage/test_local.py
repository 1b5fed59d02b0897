from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from winnowry.core.errors import BucketNotFoundError, StorageError, UsageError
from winnowry.storage.local import LocalStore
from winnowry.storage.open import open_store
from winnowry.storage.probe import conditional_put_race


def test_check_says_that_the_folder_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BucketNotFoundError, match="nowhere"):
        LocalStore(str(tmp_path / "nowhere")).check()


def names(root: Path, pattern: str) -> list[str]:
    return [info.uri.removeprefix(f"{root}/") for info in LocalStore(str(root)).list(pattern) if info.obstacle is None]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """``landing/a/x.txt`` and ``landing/b/y.txt`` beside ``outside/z.txt``, below a folder of their own."""
    root = tmp_path / "lake"
    for name in ("landing/a/x.txt", "landing/b/y.txt", "outside/z.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({"latest": "."}, []),
        ({"a/up": ".."}, []),
        ({"a/up": "../.."}, []),
        ({"top": "../.."}, []),
        ({"0": "a"}, []),  # a folder that lies there itself, before it in order
        ({"c": "a"}, []),
        ({"0.txt": "a/x.txt"}, []),
        ({"c": "../outside"}, ["c/z.txt"]),
        ({"c": "../outside", "d": "../outside"}, ["c/z.txt"]),
        ({"c.txt": "../outside/z.txt", "d.txt": "c.txt"}, ["c.txt"]),
        ({"c": "d", "d": "../outside"}, ["c/z.txt"]),
    ],
)
def test_a_file_that_several_names_lead_to_is_listed_once(
    tree: Path, links: dict[str, str], expected: list[str]
) -> None:
    for name, target in links.items():
        (tree / "landing" / name).symlink_to(target)
    assert sorted(names(tree, "landing/**/*.txt")) == sorted(
        ["landing/a/x.txt", "landing/b/y.txt", *(f"landing/{name}" for name in expected)]
    )


def test_a_link_is_followed_where_the_pattern_does_not_match_the_name_of_its_file(tree: Path) -> None:
    (tree / "landing/now.txt").symlink_to("a/x.txt")
    (tree / "landing/old").symlink_to("a")
    assert names(tree, "landing/*.txt") == ["landing/now.txt"]
    assert names(tree, "landing/old/*.txt") == ["landing/old/x.txt"]
    assert names(tree, "landing/now.txt") == ["landing/now.txt"]
    assert names(tree, "landing/*/*.txt") == ["landing/a/x.txt", "landing/b/y.txt"]


def test_a_root_that_is_a_link_is_listed_as_any(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert names(tmp_path / "link", "landing/**/*.txt") == ["landing/a/x.txt", "landing/b/y.txt"]


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("pattern", ["**/*.txt", "*.txt", "*"])
@pytest.mark.parametrize(
    ("make", "reason", "what"),
    [
        (lambda path: path.symlink_to("nowhere"), "broken_link", "link to nowhere, which leads to nothing"),
        (lambda path: path.symlink_to(path.name), "broken_link", "link to odd.txt, which leads to itself"),
        (os.mkfifo, "not_a_file", "a named pipe"),
        (make_socket, "not_a_file", "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "not_a_file", "a device"),
    ],
    ids=["dangling", "loop", "pipe", "socket", "device"],
)
def test_what_cannot_be_opened_is_listed_with_the_reason(
    tmp_path: Path, make: Callable[[Path], None], reason: str, what: str, pattern: str
) -> None:
    make(tmp_path / "odd.txt")
    (tmp_path / "x.txt").write_text("1")
    [odd, whole] = LocalStore(str(tmp_path)).list(pattern)
    assert odd.obstacle == (reason, what)
    assert (whole.uri, whole.obstacle) == (str(tmp_path / "x.txt"), None)


@pytest.mark.parametrize("name", [b"caf\xe9.txt", b"caf\xe9/x.txt"])
def test_a_name_that_is_no_utf8_is_listed_escaped_and_as_an_obstacle(tmp_path: Path, name: bytes) -> None:
    path = os.fsencode(tmp_path) + b"/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - a name of bytes
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    [info] = LocalStore(str(tmp_path)).list("**/*.txt")
    assert info.uri == f"{tmp_path}/{name.decode('utf-8', 'backslashreplace')}"
    assert info.obstacle is not None
    assert info.obstacle[0] == "name_not_utf8"
    assert f"rename {name.decode('utf-8', 'backslashreplace')} (" in info.obstacle[1]
    assert str(tmp_path) not in info.obstacle[1]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_opening_what_is_no_file_fails_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "odd")
    with pytest.raises(StorageError, match=r"odd: is a (named pipe|device), expected a file"):
        LocalStore(str(tmp_path)).open("odd")


def test_an_error_while_reading_is_the_store_s(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    unreadable = os.open(tmp_path / "y", os.O_WRONLY | os.O_CREAT)
    with LocalStore(str(tmp_path)).open("x") as stream:
        os.dup2(unreadable, stream.fileno())
        with pytest.raises(StorageError, match="x: Bad file descriptor"):
            stream.read()
    os.close(unreadable)


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
