"""Evaluation sets as lists of texts: read from files, hashed, and kept once a process."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, Field

from winnowry.operators.input_path import InputPath

_BLOCK = 1 << 20
_FORMATS = (".jsonl", ".parquet", ".txt")
_COMPRESSED = (".gz", ".zst")


class EvaluationSet(BaseModel):
    """Texts that must not be trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="what a match is reported as")
    path: InputPath = Field(
        description="file on every machine that runs the stage: .jsonl, .parquet or .txt (a text a line), also .gz and "
        ".zst; relative ones start at the folder the command runs in",
    )
    fields: tuple[str, ...] = Field(
        default=(), description="fields with texts, `.` for nested ones; every string of a record where none is named"
    )
    answers: tuple[str, ...] = Field(default=(), description="fields with answers, which are matched as a whole")

    def location(self) -> Path:
        """Where the file is.

        Raises:
            ValueError: there is none, or its format is not known.
        """
        path = Path(self.path).expanduser()
        if not path.is_file():
            raise ValueError(
                f"evaluation set {self.name!r}: no file {path.absolute()}; give its full path, or one relative to "
                f"{Path.cwd()}"
            )
        if self.format not in _FORMATS:
            raise ValueError(
                f"evaluation set {self.name!r}: {path.name} is none of {', '.join(_FORMATS)}, also with "
                f"{' or '.join(_COMPRESSED)}"
            )
        return path

    @property
    def format(self) -> str:
        """Suffix of the file without that of a compression."""
        name = Path(self.path)
        return Path(name.stem).suffix if name.suffix in _COMPRESSED else name.suffix

    def content_sha256(self) -> str:
        """Hash of the file's bytes, read again when its size or time has changed."""
        path = self.location()
        status = path.stat()
        return _hash_of(os.fspath(path.absolute()), status.st_size, status.st_mtime_ns)

    def texts(self) -> Iterator[tuple[bool, str]]:
        """Every text of the set: (is an answer?, text).

        Raises:
            ValueError: a record is not what the format says, or lacks a field.
        """
        for place, record in self._records():
            if isinstance(record, str):
                yield False, record
                continue
            for name in self.fields:
                for text in _strings(_at(record, name, f"{self.path}, {place}")):
                    yield False, text
            for name in self.answers:
                for text in _strings(_at(record, name, f"{self.path}, {place}")):
                    yield True, text
            if not self.fields:
                rest = {key: value for key, value in record.items() if key not in self.answers}
                for text in _strings(rest):
                    yield False, text

    def _records(self) -> Iterator[tuple[str, Any]]:
        path = self.location()
        if self.format == ".parquet":
            import pyarrow.parquet as pq

            with _opened(path) as file:
                source = io.BytesIO(file.read()) if path.suffix in _COMPRESSED else file
                for group, batch in enumerate(pq.ParquetFile(source).iter_batches()):
                    for row, record in enumerate(batch.to_pylist()):
                        yield f"batch {group}, row {row}", record
            return
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                if self.format == ".txt":
                    yield f"line {number}", line.decode("utf-8", "replace")
                elif line.strip():
                    yield f"line {number}", _parsed(line, f"{self.path}, line {number}")


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.open(path, "rb"))
    if path.suffix == ".zst":
        import zstandard

        # the wrapped reader has no readline of its own
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(path.open("rb"), closefd=True))
    return path.open("rb")


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    import orjson

    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON ({error}); every line has to be an object") from error
    if not isinstance(record, dict):
        raise ValueError(f"{where}: a JSON {type(record).__name__}; every line has to be an object")
    return record


def _at(record: dict[str, Any], name: str, where: str) -> Any:
    value: Any = record
    for part in name.split("."):
        if isinstance(value, list):
            value = [item.get(part) for item in value if isinstance(item, dict)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            raise ValueError(f"{where}: no field {name!r}; the record has {', '.join(map(repr, record))}")
    return value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


@lru_cache(maxsize=64)
def _hash_of(path: str, size: int, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
