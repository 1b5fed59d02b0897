"""What a recipe names beside the corpus: the target, evaluation sets, multiple-choice questions."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from winnowry.core.errors import EmptySourceError, UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.comparison import Questions, TextSet
from winnowry.sources.base import ReadLimits
from winnowry.sources.compression import decompressed
from winnowry.sources.streams import BrokenStreamError


def read_text_set(ws: Workspace, text_set: TextSet) -> Iterator[str]:
    """Texts of a set, in the order of its objects.

    Raises:
        EmptySourceError: no object matches.
        UsageError: an object cannot be read, or a record lacks the field; with the object and the line.
    """
    for uri in _objects(ws, text_set):
        if uri.endswith(".parquet"):
            yield from _parquet(ws, text_set, uri)
        elif _is_jsonl(uri):
            yield from _jsonl(text_set, uri, _content(ws, uri))
        else:
            yield _content(ws, uri).decode("utf-8", "replace")


class Question(NamedTuple):
    """One multiple-choice question; ``right`` is the place of the right choice."""

    question: str
    choices: list[str]
    right: int

    def documents(self) -> list[str]:
        """The question with each of its choices."""
        return [f"{self.question}\n{choice}" for choice in self.choices]


def read_questions(ws: Workspace, questions: Questions) -> Iterator[Question]:
    """Questions of a set, in the order of its objects.

    Raises:
        EmptySourceError: no object matches.
        UsageError: an object cannot be read, or a record is no question; with the object and the line or row.
    """
    for uri in _objects(ws, questions):
        if not (uri.endswith(".parquet") or _is_jsonl(uri)):
            raise UsageError(f"{uri}: questions {questions.name!r} are read from .jsonl (.gz, .zst) or .parquet")
        records = _rows(ws, uri) if uri.endswith(".parquet") else _records(uri, _content(ws, uri))
        for where, record in records:
            try:
                yield _question(questions, record)
            except ValueError as error:
                raise UsageError(f"{where}: {error}; see `questions` {questions.name!r} of the comparison") from error


def _question(fields: Questions, record: Mapping[str, Any]) -> Question:
    """A record as a question.

    >>> made = Questions(name="q", uri="q.jsonl")
    >>> _question(made, {"question": "2 + 2?", "choices": ["3", "4"], "answer": "B"}).right
    1
    >>> _question(made, {"question": "2 + 2?", "choices": ["3", "4"], "answer": "4"}).right
    1
    """
    question, choices, answer = (record.get(name) for name in (fields.question, fields.choices, fields.answer))
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"no question in field {fields.question!r} (it has {', '.join(record)})")
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(one, str) and one for one in choices):
        raise ValueError(f"{fields.choices!r} must be a list of two texts or more; it is {choices!r:.80}")
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices):
        return Question(question, choices, answer)
    if isinstance(answer, str):
        if answer in choices:
            return Question(question, choices, choices.index(answer))
        place = ord(answer) - ord("A") if len(answer) == 1 else -1
        if 0 <= place < len(choices):
            return Question(question, choices, place)
    raise ValueError(
        f"{fields.answer!r} is {answer!r:.80}, which is no letter, place or text of {len(choices)} choices"
    )


def _objects(ws: Workspace, text_set: TextSet | Questions) -> list[str]:
    objects = [info.uri for info in ws.store.list(ws.store.resolve(text_set.uri))]
    if not objects:
        raise EmptySourceError(
            f"text set {text_set.name!r}: no object matches {ws.store.resolve(text_set.uri)}. Check its `uri` ("
            "relative ones start at --root)."
        )
    return objects


def _is_jsonl(uri: str) -> bool:
    name = uri.rsplit("/", 1)[-1]
    return ".jsonl" in name or ".ndjson" in name


def _content(ws: Workspace, uri: str) -> bytes:
    with ws.store.open(uri) as stream:
        try:
            return b"".join(decompressed(stream, ReadLimits()))
        except BrokenStreamError as error:
            raise UsageError(f"{uri}: cannot be decompressed: {error}") from error


def _records(uri: str, content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of JSON lines, each with where it stands."""
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{uri}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{where}: not JSON: {error}") from error
        if not isinstance(record, dict):
            raise UsageError(f"{where}: a {type(record).__name__}, expected an object with fields")
        yield where, record


def _rows(ws: Workspace, uri: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a Parquet file, each with where it stands."""
    import pyarrow.parquet as pq

    number = 0
    for batch in pq.ParquetFile(io.BytesIO(ws.store.read(uri))).iter_batches():
        for record in batch.to_pylist():
            number += 1
            yield f"{uri}, row {number}", record


def _jsonl(text_set: TextSet, uri: str, content: bytes) -> Iterator[str]:
    for where, record in _records(uri, content):
        if not isinstance(record.get(text_set.text), str):
            raise UsageError(
                f"{where}: no text in field {text_set.text!r} (it has {', '.join(record)}); set `text` of text set "
                f"{text_set.name!r}"
            )
        yield record[text_set.text]


def _parquet(ws: Workspace, text_set: TextSet, uri: str) -> Iterator[str]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(ws.store.read(uri)))
    if text_set.text not in file.schema_arrow.names:
        listed = ", ".join(file.schema_arrow.names)
        raise UsageError(f"{uri}: no field {text_set.text!r}; it has {listed}; set `text` of {text_set.name!r}")
    for batch in file.iter_batches(columns=[text_set.text]):
        yield from (text for text in batch.column(0).to_pylist() if text is not None)
