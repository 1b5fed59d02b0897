"""A recipe to start from, guessed from the first file of the landing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from winnowry.cli.starter_structured import structure_named, structure_of

_FORMATS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".csv": "csv", ".txt": "text",
    ".md": "text", ".html": "html", ".htm": "html", ".warc": "warc",
}  # fmt: skip
_COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz", ".lz4")
_RECORDS_READ = 100
_TEXTS = ("text", "content", "body", "html", "document", "article", "message", "markdown", "transcript", "story")
_IDS = ("id", "_id", "uuid", "guid", "record_id", "doc_id", "document_id", "key", "url", "uri")
_TIMES = ("event_time", "created_at", "created", "published_at", "published", "date", "timestamp", "time", "updated_at")
_TIME_LIKE = re.compile(r"(?:^|_)(?:date|time|day|at|created|published|timestamp)(?:_|$)", re.IGNORECASE)
_HTML = re.compile(r"<(?:html|body|div|p|br|h1)\b[^>]*>", re.IGNORECASE)

_CLEAN = """\
  - {op: text.normalize_unicode}
  - {op: text.length, min_words: null, min_chars: 1}   # a bound of your own: min_words: 20
  - {op: dedup.exact}
"""

Row = Mapping[str, object]


@dataclass(frozen=True)
class Guess:
    """What the first file of the landing looks like.

    Attributes:
        file: below the root of the lake.
        uri: glob of the source: files of that kind in the same folder of the landing.
        n_files: how many there are.
        format: name of the source format.
        text: field with the text; of records with structure the field that says so, such as `messages`.
        id: field whose values differ in every record read, or None.
        event_time: field whose values are all times, or None.
        html: whether the texts are HTML.
        n_records: records that were read.
    """

    file: str
    uri: str
    n_files: int
    format: str
    text: str
    id: str | None
    event_time: str | None
    html: bool
    n_records: int

    def to_dict(self) -> dict[str, object]:
        """The guess as data."""
        return asdict(self)


def guess_from(root: Path) -> Guess | None:
    """Look at the first file of a known kind below ``landing/`` that has records with text.

    Args:
        root: folder of the lake.

    Returns:
        The guess; None where there is no such file.
    """
    files = sorted(path for path in (root / "landing").rglob("*") if path.is_file() and not path.name.startswith("."))
    tried: set[tuple[Path, str]] = set()
    for path in files:
        format_ = _FORMATS.get(_kind(path))
        if format_ is None or (path.parent, format_) in tried:
            continue
        tried.add((path.parent, format_))
        rows = _rows(path, format_)
        structured = structure_of(rows) if format_ in ("jsonl", "parquet") else None
        text = structured.shown if structured is not None else _text_field(rows)
        if text is None:
            continue
        uri = _uri(root, path)
        return Guess(
            file=path.relative_to(root).as_posix(),
            uri=uri,
            n_files=sum(_suffixes(other) == _suffixes(path) and _uri(root, other) == uri for other in files),
            format=format_ if structured is None else structured.format,
            text=text,
            id=_first(rows, _IDS, lambda name: name.endswith(("_id", "Id")), _tells_apart),
            event_time=_first(rows, _TIMES, lambda name: _TIME_LIKE.search(name) is not None, _are_times),
            html=structured is None and format_ != "warc" and _are_html(rows, text),
            n_records=len(rows),
        )
    return None


def recipe_of(corpus: str, guess: Guess | None) -> str:
    """The text of a recipe.

    Args:
        corpus: its name.
        guess: what the landing looks like; None writes a recipe for files that are still to come.
    """
    if guess is None:
        about = "# Put files below lake/landing/, and say here which they are and what their fields mean."
        guess = Guess("", f"landing/{corpus}/**/*.jsonl.gz", 0, "jsonl", "text", None, None, False, 0)
    else:
        about = f"# Fields as the first {guess.n_records:,} records of {guess.file} suggest: are they right?"
    structured = structure_named(guess.format, guess.text)
    text = guess.text if structured is None else None
    fields = ", ".join(
        f"{role}: {_quoted(field)}"
        for role, field in (("id", guess.id), ("text", text), ("event_time", guess.event_time))
        if field is not None
    )
    partition = "{by: event_time, every: month}" if guess.event_time else "none"
    options = structured.options if structured is not None else ""
    score = structured.size if structured is not None else "score:\n  - {op: score.token_count}\n"
    clean = structured.clean if structured is not None else _CLEAN
    html = "  - {op: text.extract_html}\n" if guess.html or guess.format in ("html", "warc") else ""
    return f"""\
# yaml-language-server: $schema=recipe.schema.json
{about}
version: 1
corpus: {corpus}
sources:
  - name: {_name(guess.uri.split("/")[1]) if guess.uri.count("/") > 1 else "main"}
    uri: {_quoted(guess.uri)}
    format: {guess.format}
{options}    license: unknown          # of the records; carried to every published one
    fields: {{{fields}}}
    partition: {partition}
clean:                        # in this order; what is rejected goes to quarantine with its reason
{html}{clean}{score}sample: {{method: uniform, fraction: 1.0}}   # every record
publish: {{tag: prod}}
"""


def corpus_name(directory: Path) -> str:
    """A name for the corpus of a project: its folder's, in the letters that a corpus may have.

    >>> corpus_name(Path("/data/My-Lake")), corpus_name(Path("/data/2026"))
    ('my_lake', 'corpus_2026')
    """
    name = _name(directory.resolve().name)
    return name if name[:1].isalpha() else f"corpus_{name}".rstrip("_")


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "main"


def _quoted(text: str) -> str:
    import json

    return text if re.fullmatch(r"[A-Za-z_][\w.]*", text) else json.dumps(text, ensure_ascii=False)


def _suffixes(path: Path) -> str:
    """The suffix that says the format, with that of a compression: ``.jsonl.gz``."""
    last = path.suffix.lower()
    return Path(path.stem).suffix.lower() + last if last in _COMPRESSIONS else last


def _kind(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() in _COMPRESSIONS else path.suffix.lower()


def _uri(root: Path, path: Path) -> str:
    below = path.relative_to(root / "landing").parts
    suffixes = path.name[len(path.name) - len(_suffixes(path)) :]
    return f"landing/{below[0]}/**/*{suffixes}" if len(below) > 1 else f"landing/*{suffixes}"


def _rows(path: Path, format_: str) -> list[Row]:
    from winnowry.sources.base import ReadLimits, Record
    from winnowry.sources.registry import formats, reader_of

    with path.open("rb") as stream:
        records = reader_of(formats()[format_]()).read(stream, path.as_posix(), ReadLimits())
        return [record.data for record in islice(records, _RECORDS_READ) if isinstance(record, Record)]


def _text_field(rows: Sequence[Row]) -> str | None:
    """The first field with a usual name that holds text, else the one with the longest texts."""
    lengths: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str) and value.strip():
                lengths[name] = lengths.get(name, 0) + len(value)
    usual = next((name for name in _TEXTS if name in lengths), None)
    return usual or max(lengths, key=lambda name: lengths[name], default=None)


def _first(
    rows: Sequence[Row], usual: Sequence[str], alike: Callable[[str], bool], fits: Callable[[list[object]], bool]
) -> str | None:
    """The first field, usual names before those like them, all of whose values fit."""
    names = dict.fromkeys(name for row in rows for name in row)
    candidates = [*(name for name in usual if name in names), *(name for name in names if alike(name))]
    return next((name for name in candidates if fits([row.get(name) for row in rows])), None)


def _tells_apart(values: list[object]) -> bool:
    return all(isinstance(value, str | int) and value != "" for value in values) and len(set(values)) == len(values)


def _are_times(values: list[object]) -> bool:
    from winnowry.sources.event_time import EventTimeError, parse_event_time

    try:
        for value in values:
            parse_event_time(value)
    except EventTimeError:
        return False
    return bool(values)


def _are_html(rows: Sequence[Row], text: str) -> bool:
    texts = [value for row in rows if isinstance(value := row.get(text), str)]
    return sum(_HTML.search(value) is not None for value in texts) > len(texts) / 2
