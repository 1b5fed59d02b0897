"""The process that reads PDF files, seen from the one that wants them read.

pdfium is not thread-safe, and a file that is made for it can crash it or keep it busy for ever. So it has a process of
its own, with bounds on its time and memory; when that dies, one file is at fault and the next one gets a new process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Any

from winnowry.operators.media.faults import DecodeError

_MODULE = "winnowry.operators.media.parsers.pdf_reader"
_ENDS_S = 5


class _Reader:
    """A reader at work."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )

    def ask(self, data: bytes, draw: Sequence[int] | None, side_px: int) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Hand a file over; yields what is read of it, and of each page, with the bytes that go with it."""
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        with contextlib.suppress(BrokenPipeError):  # its answer is missing then
            question = {"n_bytes": len(data), "draw": None if draw is None else list(draw), "side_px": side_px}
            questions.write(json.dumps(question).encode() + b"\n")
            questions.write(data)
            questions.flush()
        facts, _ = self._answer(answers)
        yield facts, b""
        for _ in range(facts.get("n_pages", 0) if facts["fault"] is None else 0):
            yield self._answer(answers)

    def _answer(self, answers: IO[bytes]) -> tuple[dict[str, Any], bytes]:
        header = answers.readline().split()
        if len(header) == 2:
            n_body, n_content = map(int, header)
            body, content = answers.read(n_body), answers.read(n_content)
            if len(content) == n_content and len(body) == n_body:
                return json.loads(body), content
        raise DecodeError(self._why_it_ended())

    def _why_it_ended(self) -> str:
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return "the reader needed too much time"
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return f"the reader crashed or needed too much memory ({name})"

    def end(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_lock = threading.Lock()
_readers: list[_Reader] = []


def read_pdf(
    data: bytes, *, draw: Sequence[int] | None = None, side_px: int = 0
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What is read of a file, and then of each of its pages, with the bytes of the page's picture.

    Args:
        data: the file.
        draw: numbers of pages, from 0, of which only pictures are wanted; None: everything, of all pages.
        side_px: longer side of those pictures.

    Raises:
        DecodeError: the reader did not outlive it.
    """
    with _lock:
        if not _readers:
            _readers.append(_Reader())
        whole = False
        try:
            yield from _readers[0].ask(data, draw, side_px)
            whole = True
        finally:
            if not whole:  # what it still has to say belongs to this file
                end_reader()


def end_reader() -> None:
    """End the reader of this process; the next file gets a new one."""
    while _readers:
        _readers.pop().end()


atexit.register(end_reader)
