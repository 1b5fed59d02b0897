"""The bytes of records that are parts of files: cut out of the files that ``raw`` keeps for the release.

A segment of sound becomes a FLAC file, sample by sample what its file has there; a clip of a film becomes an MP4 file,
a page of a document a JPEG picture of it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import DataError
from winnowry.core.sql import in_list
from winnowry.lakehouse.references import read_contents
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.media.sounds import decode_sound
from winnowry.operators.media.views import PAYLOAD, SPAN, DecodeError
from winnowry.releases.clips import clip_of
from winnowry.stages.graph import ARRIVED

_PARENTS = "parent_ids"
_ROWS_AT_ONCE = 256
_PAGE_SIDE_PX, _PAGE_QUALITY = 1600, 85
_SHALLOW_BITS = 16  # samples of more bits are written with 24


class Parts:
    """The files whose parts the records of a release are.

    Args:
        ws: the lake.
        corpus: the corpus.
        release: number of the release, a tag of ``raw`` too.
        kind: of the records: ``video``, ``document``; all others are sound.
    """

    def __init__(self, ws: Workspace, corpus: str, release: str, kind: str = "audio") -> None:
        self._dataset = ws.lake.open(corpus, ARRIVED, release).dataset()
        self._cut = {"video": _clips, "document": _pages}.get(kind, _segments)

    def beside(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Rows with their parts as ``payload``, FLAC, MP4 or JPEG; sound is decoded once for all of 256 rows.

        Raises:
            DataError: a file is not there, or does not decode as it did.
            ObjectChangedError: a file that the lake refers to is not what it was.
        """
        for table in tables:
            for start in range(0, table.num_rows, _ROWS_AT_ONCE):
                rows = table.slice(start, _ROWS_AT_ONCE)
                yield rows.append_column(PAYLOAD, pa.array(self._parts(rows), pa.large_binary()))

    def _parts(self, rows: pa.Table) -> list[bytes]:
        ids, parents = rows["record_id"].to_pylist(), rows[_PARENTS].to_pylist()
        roots = [names[0] if names else own for own, names in zip(ids, parents, strict=True)]
        files = self._dataset.to_table(
            columns=["record_id", PAYLOAD, "content_sha256"],
            filter=in_list("record_id", sorted(set(roots))),
            with_row_address=True,
        )
        digests = dict(zip(files["record_id"].to_pylist(), files["content_sha256"].to_pylist(), strict=True))
        gone = [root for root in roots if root not in digests]
        if gone:
            raise DataError(f"record {gone[0]}, of which the release has a part, is not in `raw` any more")
        parts: dict[int, bytes] = {}
        for at, digest in enumerate(files["content_sha256"].to_pylist()):
            wanted = [row for row, root in enumerate(roots) if digests[root] == digest and row not in parts]
            if wanted:
                parts.update(self._of_file(files.slice(at, 1), wanted, rows[SPAN].to_pylist()))
        return [parts[row] for row in range(rows.num_rows)]

    def _of_file(
        self, file: pa.Table, wanted: list[int], spans: Sequence[dict[str, Any] | None]
    ) -> Iterator[tuple[int, bytes]]:
        """The parts of one file that rows are."""
        (data,) = read_contents(self._dataset, PAYLOAD, file, file["_rowaddr"].combine_chunks())
        try:
            yield from self._cut(data or b"", wanted, spans)
        except DecodeError as error:
            name = file["record_id"][0].as_py()
            raise DataError(f"record {name} does not decode as it did when it was cleaned: {error}") from None


_Spans = Sequence[dict[str, Any] | None]


def _clips(data: bytes, wanted: list[int], spans: _Spans) -> Iterator[tuple[int, bytes]]:
    for row in wanted:
        span = spans[row]
        yield row, data if span is None else clip_of(data, span["start"], span["end"])


def _pages(data: bytes, wanted: list[int], spans: _Spans) -> Iterator[tuple[int, bytes]]:
    import simplejpeg

    from winnowry.operators.media.documents import pictures_of_pages

    whole = [row for row in wanted if spans[row] is None]
    yield from ((row, data) for row in whole)
    rows = [(row, int(span["start"])) for row in wanted if (span := spans[row]) is not None]
    pictures = pictures_of_pages(data, [number for _, number in rows], _PAGE_SIDE_PX)
    for (row, _), picture in zip(rows, pictures, strict=True):
        yield row, simplejpeg.encode_jpeg(np.ascontiguousarray(picture), _PAGE_QUALITY, "RGB", "420")


def _segments(data: bytes, wanted: list[int], spans: _Spans) -> Iterator[tuple[int, bytes]]:
    sound = decode_sound(data)
    for row in wanted:
        span = spans[row]
        samples = sound.samples if span is None else sound.between(span["start"], span["end"])
        yield row, flac_of(samples, sound.facts.rate_hz, sound.facts.bits)


def flac_of(samples: Any, rate: int, bits: int | None) -> bytes:
    """Samples as a FLAC file: of 16 bits unless the file has more, then of 24.

    Args:
        samples: float32, n samples of c channels; what is beyond −1 and 1 is cut off.
        rate: samples a second.
        bits: of the file; None where it keeps no samples.
    """
    import soundfile

    deep = bits is not None and bits > _SHALLOW_BITS
    # Whole numbers by hand: libsndfile scales by 32,767 what it reads by 32,768. It wants them in the upper bits.
    scale = 1 << (23 if deep else 15)
    whole = np.clip(np.round(samples.astype(np.float64) * scale), -scale, scale - 1).astype(np.int32)
    file = io.BytesIO()
    soundfile.write(file, whole << (8 if deep else 16), rate, format="FLAC", subtype="PCM_24" if deep else "PCM_16")
    return file.getvalue()
