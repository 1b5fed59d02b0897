"""Write the small lake that the tests of compatibility open, with the winnowry that runs this script.

``python -m tests.compat.make_lake lake-VERSION.tar.xz`` makes one. A lake that is kept is never made again: it is what
people have on their disks.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import struct
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

from winnowry.cli.main import main

RECIPES = Path(__file__).parent / "recipes"
DAYS = ("2025-03-01", "2025-03-02", "2025-03-03")
PER_DAY = 20
LANDED_AT = 1_740_787_200  # whole seconds, so that an archive keeps the time exactly
_LEFT_OUT = "data_docs"  # pages about gates that no command reads: bulk

_WHO = ["The customer", "A technician", "Every user on the second floor", "The night shift", "Our accountant"]
_DOES = ["reports that", "cannot explain why", "has noticed that", "asks whether", "insists that"]
_WHAT = ["the printer", "the queue of jobs", "a backup of the ledger", "the door to the archive", "one of the sensors"]
_HAPPENS = ["stops without a message", "answers only after a restart", "was renamed by somebody",
            "grows until it is emptied by hand", "shows yesterday's figures"]  # fmt: skip
_WHEN = ["after the last update", "when two people use it at once", "unless the service is running", "on Mondays"]


def text(rng: random.Random) -> str:
    """A ticket of two or three sentences."""
    parts = (_WHO, _DOES, _WHAT, _HAPPENS, _WHEN)
    return " ".join(" ".join(rng.choice(words) for words in parts) + "." for _ in range(rng.choice((2, 2, 3))))


def land(root: Path) -> None:
    """Write the landing files: good tickets, and one or more of every other fate a record can have."""
    tickets: dict[str, list[str]] = {}
    for day in DAYS:
        rng = random.Random(day)
        lines = [
            _ticket(day, f"T-{day}-{index}", f"{text(rng)} Ticket {index} was closed.") for index in range(PER_DAY)
        ]
        lines += [
            _ticket(day, f"short-{day}", "It hums again."),
            _ticket(day, f"brief-{day}", "The lift to the roof is stuck once more."),
        ]
        tickets[day] = lines
    first, second, third = DAYS
    repeated = json.loads(tickets[first][0])["text"]
    tickets[second].append(_ticket(second, "exact-copy", repeated))
    tickets[third].append(
        _ticket(third, "near-copy", " ".join([long_text(), "Thanks, and kind regards from the roof."]))
    )
    tickets[first].append(_ticket(first, "original", long_text()))
    tickets[third].append(
        _ticket(
            third,
            "ligatures",
            "The o\ufb03ce re\u0301sume\u0301 of the \ufb01nance department \u2026 " + text(random.Random(9)),
        )
    )
    tickets[second].insert(5, '{"id": "broken", "text": "no end')
    tickets[third].append(json.dumps({"id": "undated", "text": text(random.Random(3))}))
    for day, lines in tickets.items():
        _write(root / f"landing/tickets/{day}.jsonl", ("\n".join(lines) + "\n").encode())
    for name in ("target", "held_out"):
        rng = random.Random(name)
        lines = [json.dumps({"text": text(rng)}) for _ in range(4)]
        _write(root / f"landing/{name}.jsonl", ("\n".join(lines) + "\n").encode())
    for width in (4, 6):
        _write(root / f"landing/shots/mon/{width}.png", _png(width))
    _write(root / "landing/shots/tue/notes.txt", b"text beside the pictures")
    _write(root / "landing/shots/tue/large.bin", bytes(4000))


def long_text() -> str:
    """A text long enough that one more sentence leaves it a near duplicate."""
    rng = random.Random("long")
    return " ".join(text(rng) for _ in range(8))


def _ticket(day: str, identity: str, body: str) -> str:
    return json.dumps({"id": identity, "text": body, "at": f"{day}T08:00:00Z"})


def _png(width: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(width) for _ in range(3))
    header = struct.pack(">IIBBBBB", width, 3, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, (LANDED_AT, LANDED_AT))


def write_lake(root: Path) -> None:
    """Two corpora: one of texts with two releases, a refused promotion, a rollback and columns; one of files."""
    land(root)
    _call(root, "run", "compat_first.yaml", "--without-dagster", "--jobs", "1")
    _call(root, "run", "compat.yaml", "--without-dagster", "--jobs", "1")
    _call(root, "column", "add", "compat", "n_lines", "--op", "text.lines")
    _call(root, "column", "add", "compat", "half", "--sql", "n_words / 2")
    _call(root, "column", "add", "compat", "half", "--sql", "(n_words + 1) / 2", "--replace")
    _call(root, "column", "add", "compat", "empty", "--sql", "nullif(n_words, n_words)", status=1)
    _call(root, "run", "compat_refused.yaml", "--to", "cleaned", "--without-dagster", "--jobs", "1", status=1)
    _call(root, "release", "rollback", "compat", "v1")
    _call(root, "run", "shots.yaml", "--without-dagster", "--jobs", "1")


def _call(root: Path, *arguments: str, status: int = 0) -> None:
    command = [str(RECIPES / part) if part.endswith(".yaml") else part for part in arguments]
    done = main([*command, "--root", str(root)])
    if done != status:
        raise SystemExit(f"winnowry {' '.join(arguments)}: exit code {done}, expected {status}")


def pack(root: Path, archive: Path) -> None:
    """Pack a lake as ``lake/…``, files in order of their names."""
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(root)
            if path.is_file() and _LEFT_OUT not in relative.parts:
                entry = tarfile.TarInfo(f"lake/{relative}")
                entry.size, entry.mtime = path.stat().st_size, LANDED_AT
                packed.addfile(entry, io.BytesIO(path.read_bytes()))


if __name__ == "__main__":
    if len(sys.argv) != 2 or Path(sys.argv[1]).exists():
        raise SystemExit("python -m tests.compat.make_lake ARCHIVE, which must not exist: a kept lake stays as it is")
    # Always the same place: tables hold the addresses of landing objects.
    home = Path(tempfile.gettempdir()) / "winnowry-compat"
    shutil.rmtree(home, ignore_errors=True)
    write_lake(home / "lake")
    pack(home / "lake", Path(sys.argv[1]))
    print(f"{sys.argv[1]}: {Path(sys.argv[1]).stat().st_size:,} bytes")
