"""Power cuts on paper: what a command does to the files of a folder is recorded, and the folder rebuilt as it may be
found after a cut at every point.

Recorded with strace, which sees every system call: Lance's renames are raw ones, which no preloaded library sees. Five
models say what of the things that were not synced a cut leaves:

* ``kill``: everything; the process died and the machine did not;
* ``names-first``: every name, and of contents only what was synced (file systems with delayed allocation);
* ``torn``: every name, and the first half of contents that were not synced;
* ``zeros``: every name and length, and zeros for contents that were not synced;
* ``posix``: only names whose folder was synced since.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

Model = Literal["kill", "names-first", "torn", "zeros", "posix"]
MODELS: tuple[Model, ...] = ("kill", "names-first", "torn", "zeros", "posix")

_CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,rename,renameat,renameat2,link,linkat,unlink,unlinkat,"
    "mkdir,mkdirat,rmdir,fsync,fdatasync,ftruncate,truncate,sendfile,copy_file_range,symlink,symlinkat"
)
_COPIES = frozenset({"sendfile", "copy_file_range", "truncate", "symlink", "symlinkat"})
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HANDLE = re.compile(r"\d+<((?:\\x[0-9a-f]{2})+)>")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)")


class Operation(NamedTuple):
    """One completed call that changed a file or made one durable.

    Attributes:
        kind: ``create``, ``write``, ``truncate``, ``sync``, ``rename``, ``link``, ``unlink``, ``mkdir``.
        path: what it was about.
        other: the new name of a rename or link.
        at: where bytes were written; None behind the last ones.
        data: the bytes.
        size: length that a file was cut to; of a ``create`` 0 where it was emptied.
    """

    kind: str
    path: str
    other: str = ""
    at: int | None = None
    data: bytes = b""
    size: int | None = None


def record(command: Sequence[str], trace: Path, root: Path, **environment: str) -> list[Operation]:
    """Run a command and return what it did below a folder.

    Raises:
        AssertionError: the command failed.
    """
    strace = ["strace", "-f", "-y", "-xx", "-s", str(1 << 24), "--seccomp-bpf", "-e", f"trace={_CALLS}"]
    done = subprocess.run(
        [*strace, "-o", str(trace), *command], env={**os.environ, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return list(_operations(trace, str(root)))


def _operations(trace: Path, root: str) -> Iterator[Operation]:
    unfinished: dict[str, str] = {}
    with trace.open(errors="replace") as lines:
        for line in lines:
            process, _, rest = line.partition(" ")
            rest = rest.strip()
            if rest.endswith("<unfinished ...>"):
                unfinished[process] = rest.removesuffix("<unfinished ...>")
                continue
            if resumed := _RESUMED.match(rest):
                rest = unfinished.pop(process, "") + resumed.group(1)
            call = _CALL.match(rest)
            if call and int(call.group(3)) >= 0:
                yield from _operation(call.group(1), call.group(2), int(call.group(3)), root)


def _operation(call: str, arguments: str, returned: int, root: str) -> Iterator[Operation]:
    handle = _HANDLE.match(arguments)
    of_handle = _plain(handle.group(1)).decode(errors="replace") if handle else ""
    strings = [_plain(text) for text in _STRING.findall(arguments)]
    paths = [text.decode(errors="replace") for text in strings]
    if call in ("write", "pwrite64", "writev", "pwritev", "pwritev2"):
        if _below(of_handle, root):
            at = None
            if call == "pwrite64":
                at = int(arguments.rsplit(",", 1)[1])
            assert call in ("write", "writev", "pwrite64"), f"{call} is not understood"
            yield Operation("write", of_handle, at=at, data=b"".join(strings)[:returned])
    elif call in ("fsync", "fdatasync"):
        if _below(of_handle, root):
            yield Operation("sync", of_handle)
    elif call == "ftruncate":
        if _below(of_handle, root):
            yield Operation("truncate", of_handle, size=int(arguments.rsplit(",", 1)[1]))
    elif call in _COPIES:
        assert not any(_below(path, root) for path in (of_handle, *paths)), f"{call} is not understood"
    elif paths and _below(paths[0], root):
        yield from _of_a_name(call, arguments, paths)


def _of_a_name(call: str, arguments: str, paths: list[str]) -> Iterator[Operation]:
    if call in ("openat", "open", "creat"):
        if "O_CREAT" in arguments or call == "creat":
            yield Operation("create", paths[0], size=0 if "O_TRUNC" in arguments else None)
    elif call.startswith(("rename", "link")):
        yield Operation("rename" if call.startswith("rename") else "link", paths[0], paths[1])
    elif call.startswith("unlink"):
        yield Operation("unlink", paths[0])
    elif call.startswith("mkdir"):
        yield Operation("mkdir", paths[0])


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


class Disk:
    """Names and contents as processes see them, and what of both is durable.

    Args:
        root: the folder; what it holds now is durable.
    """

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.folders: set[str] = set()
        self.names: dict[str, int] = {}
        self.contents: dict[int, bytearray] = {}
        self.times: dict[int, int] = {}
        self.built: dict[Path, dict[str, bytes]] = {}
        self.left: dict[int, dict[Model, bytes]] = {}
        for folder, _, files in os.walk(root):
            self.folders.add(folder)
            for file in files:
                path = f"{folder}/{file}"
                self._create(path)
                self.contents[self.names[path]] = bytearray(Path(path).read_bytes())
                self.times[self.names[path]] = Path(path).stat().st_mtime_ns
        self.synced = {number: bytes(content) for number, content in self.contents.items()}
        self.durable = dict(self.names)

    def apply(self, operation: Operation) -> None:
        """Do what a process did."""
        kind, path = operation.kind, operation.path
        number = self.names.get(path)
        if number is not None and kind in ("create", "write", "truncate", "sync"):
            self.left.pop(number, None)
        if kind == "create":
            if number is None:
                self._create(path)
            elif operation.size == 0:
                self.contents[number] = bytearray()
        elif kind == "write" and number is not None:
            content = self.contents[number]
            at = len(content) if operation.at is None else operation.at
            content.extend(b"\0" * (at - len(content)))
            content[at : at + len(operation.data)] = operation.data
        elif kind == "truncate" and number is not None:
            assert operation.size is not None
            content = self.contents[number]
            del content[operation.size :]
            content.extend(b"\0" * (operation.size - len(content)))
        elif kind == "sync":
            self._sync(path)
        elif kind == "rename" and number is not None:
            self.names[operation.other] = self.names.pop(path)
        elif kind == "link" and number is not None:
            self.names[operation.other] = number
        elif kind == "unlink":
            self.names.pop(path, None)
        elif kind == "mkdir":
            self.folders.add(path)

    def _create(self, path: str) -> None:
        number = len(self.contents)
        self.names[path], self.contents[number] = number, bytearray()

    def _sync(self, path: str) -> None:
        number = self.names.get(path)
        if number is not None:
            self.synced[number] = bytes(self.contents[number])
            return
        elsewhere = {name: n for name, n in self.durable.items() if name.rpartition("/")[0] != path}
        self.durable = elsewhere | {name: n for name, n in self.names.items() if name.rpartition("/")[0] == path}

    def build(self, target: Path, model: Model) -> bool:
        """Write a folder as a cut at this moment may leave this one.

        Args:
            target: holds what the last call for it wrote, and what was set aside since; or is not there.
            model: what is left of what was not synced.

        Returns:
            Whether it holds something else than after the last call.
        """
        built = self.built.setdefault(target, {})
        for folder in sorted(self.folders):
            (target / folder[len(self.root) + 1 :]).mkdir(parents=True, exist_ok=True)
        for aside in target.rglob("*#0"):
            aside.rename(aside.with_name(aside.name.removesuffix("#0")))
        names = self.durable if model == "posix" else self.names
        left = {name[len(self.root) + 1 :]: (self._left_of(number, model), number) for name, number in names.items()}
        has_changed = built != {name: content for name, (content, _) in left.items()}
        for name in built.keys() - left.keys():
            (target / name).unlink()
            del built[name]
        for name, (content, number) in left.items():
            if built.get(name) == content:
                continue
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            built[name] = content
            if number in self.times:
                os.utime(path, ns=(self.times[number],) * 2)
        return has_changed

    def _left_of(self, number: int, model: Model) -> bytes:
        known = self.left.setdefault(number, {})
        if model not in known:
            known[model] = self._worked_out(number, model)
        return known[model]

    def _worked_out(self, number: int, model: Model) -> bytes:
        whole, synced = self.contents[number], self.synced.get(number, b"")
        if model == "kill":
            return bytes(whole)
        if model == "torn" and len(synced) < len(whole):
            return bytes(whole[: max(len(synced), len(whole) // 2)])
        if model == "zeros":
            return synced + bytes(max(0, len(whole) - len(synced)))
        return synced


def is_cut(operation: Operation) -> bool:
    """Whether a cut right after an operation may leave something else than one after the operation before it.

    Names and contents of what a process has not given its name yet mean nothing to anybody.
    """
    hidden = "#" in operation.path or "/.winnowry-" in operation.path
    return operation.kind not in ("create", "write", "mkdir") and not (operation.kind == "unlink" and hidden)
