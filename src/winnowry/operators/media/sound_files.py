"""What the bytes of a sound file say of themselves, before anything is decoded: RIFF chunks, FLAC headers, ID3 tags.

Decoders believe headers or overlook them, each in its own way: libsndfile reads no sample of a WAV that was written to
a pipe, and half of one whose other half is lost, both without an error. So what a header declares is read here, and
what is there is counted.

Sources: Multimedia Programming Interface and Data Specifications 1.0 (RIFF), EBU Tech 3306 (RF64), RFC 9639 (FLAC),
ID3v2.4.0 structure, the Xing header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

_UNKNOWN_FROM = 0x7FFF0000
"""Sizes of a data chunk from here on are what programs write that cannot know: 7FFFFFFF less a header, or FFFFFFFF."""

_TWO_BYTES = 2
_SAMPLE_TAGS = frozenset({1, 3, 6, 7})  # PCM, float, A-law, mu-law: a block is one sample of every channel
_EXTENSIBLE = 0xFFFE
_RIFF_HEADER = 12
_CHUNK_HEADER = 8
_STREAMINFO = 34
_OGG_HEADER = 27
_ID3_HEADER = 10


@dataclass(frozen=True)
class WavHeader:
    """The header of a WAV file against the bytes behind it.

    Attributes:
        data_at: where the samples begin.
        declared_bytes: of samples; None where the header cannot know.
        found_bytes: of samples that are there, whole blocks.
        block_bytes: of one sample of every channel; 0 where the coding has no such block.
        rate: samples a second.
        bits: of a sample.
        behind_bytes: bytes behind the declared samples that are no chunk.
    """

    data_at: int
    declared_bytes: int | None
    found_bytes: int
    block_bytes: int
    rate: int
    bits: int
    behind_bytes: int


@dataclass(frozen=True)
class FlacHeader:
    """STREAMINFO of a FLAC file.

    Attributes:
        starts_at: where ``fLaC`` stands: behind an ID3v2 tag, if there is one.
        samples_at: where the first frame begins.
        block: samples of a frame, where all have as many.
        rate: samples a second.
        channels: their number.
        bits: of a sample.
        declared_samples: of every channel; None where it is unknown.
        md5: of all samples; None where it is unknown.
    """

    starts_at: int
    samples_at: int
    block: int
    rate: int
    channels: int
    bits: int
    declared_samples: int | None
    md5: bytes | None


def media_type_of_sound(data: bytes) -> str | None:
    """Media type of a sound file by its first bytes; None where they are of nothing known here.

    A tag before the sound is skipped: FLAC behind ID3v2 is FLAC. MP4 and Matroska hold films and sound alike, and are
    told apart by their streams alone.

    >>> media_type_of_sound(b"ID3" + bytes([4, 0, 0, 0, 0, 0, 2]) + b"xx" + b"fLaC")
    'audio/flac'
    """
    at = behind_id3(data)
    head = data[at : at + 12]
    if head[:4] == b"fLaC":
        return "audio/flac"
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head[:4] == b"OggS":
        return "audio/ogg"
    if len(head) >= _TWO_BYTES and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "audio/aac" if head[1] & 0xF6 == 0xF0 else "audio/mpeg"
    return "audio/mpeg" if at else None


def behind_id3(data: bytes) -> int:
    """Where the bytes behind leading ID3v2 tags begin; 0 without a tag."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + _ID3_HEADER:
        size = data[at + 6 : at + 10]
        if any(byte & 0x80 for byte in size):
            break
        length = size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]
        footer = _ID3_HEADER if data[at + 5] & 0x10 else 0
        at += _ID3_HEADER + length + footer
    return min(at, len(data))


def wav_header(data: bytes) -> WavHeader | None:
    """The header of a WAV file; None where the bytes are no WAV or have no samples chunk.

    Chunks are walked one by one, so the word ``data`` inside another chunk is no samples chunk. The size of the whole
    is not looked at: it is stale in many good files.
    """
    if data[:4] not in (b"RIFF", b"RF64", b"BW64") or data[8:12] != b"WAVE":
        return None
    at, wide = _RIFF_HEADER, None
    form: tuple[int, int, int, int] | None = None  # tag, rate, bytes of a block, bits
    while at + _CHUNK_HEADER <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        body = at + _CHUNK_HEADER
        if name == b"ds64" and len(data) >= body + 16:
            wide = struct.unpack_from("<Q", data, body + 8)[0]
        if name == b"fmt " and size >= 16 and len(data) >= body + 16:
            tag, _, rate, _, block, bits = struct.unpack_from("<HHIIHH", data, body)
            if tag == _EXTENSIBLE and size >= 26 and len(data) >= body + 26:
                tag = struct.unpack_from("<H", data, body + 24)[0]
            form = (tag, rate, block, bits)
        if name == b"data":
            if form is None:
                return None
            return _wav(data, body, wide if wide is not None and size == 0xFFFFFFFF else size, form)
        at = body + size + (size & 1)
    return None


def _wav(data: bytes, at: int, size: int, form: tuple[int, int, int, int]) -> WavHeader:
    tag, rate, block, bits = form
    there = len(data) - at
    streamed = size > there and size >= _UNKNOWN_FROM
    if size == 0 and there:  # a header that was never filled in, unless chunks follow an empty one
        streamed = not _are_chunks(data, at)
    declared = None if streamed else size
    samples = there if declared is None else min(there, declared)
    block_bytes = block if tag in _SAMPLE_TAGS else 0
    whole = samples - samples % block_bytes if block_bytes else samples
    end = at + samples + (samples & 1)
    behind = 0 if declared is None or end >= len(data) or _are_chunks(data, end) else len(data) - end
    return WavHeader(at, declared, whole, block_bytes, rate, bits, behind)


def _are_chunks(data: bytes, at: int) -> bool:
    """Whether the bytes from a place on begin with a chunk that lies in them, or are padding zeros."""
    name = data[at : at + 4]
    if not any(data[at:]):
        return True
    if len(data) < at + _CHUNK_HEADER or not all(0x20 <= byte < 0x7F for byte in name):
        return False
    return at + _CHUNK_HEADER + int(struct.unpack_from("<I", data, at + 4)[0]) <= len(data)


def with_wav_size(data: bytes, header: WavHeader) -> bytes:
    """The file with a header that says how many samples are there."""
    changed = bytearray(data[: header.data_at + header.found_bytes])
    changed[:4] = b"RIFF"
    struct.pack_into("<I", changed, 4, (len(changed) - 8) & 0xFFFFFFFF)
    struct.pack_into("<I", changed, header.data_at - 4, header.found_bytes & 0xFFFFFFFF)
    return bytes(changed)


def flac_header(data: bytes) -> FlacHeader | None:
    """STREAMINFO of a FLAC file; None where the bytes are none."""
    start = behind_id3(data)
    info = start + 8
    if data[start : start + 4] != b"fLaC" or len(data) < info + _STREAMINFO or data[start + 4] & 0x7F:
        return None
    packed = int.from_bytes(data[info + 10 : info + 18], "big")
    samples, md5 = packed & (1 << 36) - 1, data[info + 18 : info + 34]
    at, last = start + 4, False
    while not last and at + 4 <= len(data):
        last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    block = int.from_bytes(data[info : info + 2], "big")
    return FlacHeader(
        start,
        at,
        block,
        packed >> 44,
        (packed >> 41 & 7) + 1,
        (packed >> 36 & 31) + 1,
        samples or None,
        md5 if any(md5) else None,
    )


def with_flac_samples(data: bytes, header: FlacHeader, samples: int) -> bytes:
    """The file, without a tag before it, with another number of samples in its header."""
    changed = bytearray(data[header.starts_at :])
    changed[21] = changed[21] & 0xF0 | samples >> 32 & 15
    changed[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(changed)


def ogg_links(data: bytes) -> list[bytes | None]:
    """The links of an Ogg stream, each a stream of its own; one where nothing is chained.

    A page that begins a stream starts a new link where it stands behind pages that do not. The last link is None where
    its last page is not whole; that no page is marked as the last one says nothing, live recordings have none.
    """
    starts, at, beginning = [0], 0, True
    while data[at : at + 4] == b"OggS":
        page = data[at : at + _OGG_HEADER]
        sizes = data[at + _OGG_HEADER : at + _OGG_HEADER + page[-1]] if len(page) == _OGG_HEADER else b""
        end = at + _OGG_HEADER + len(sizes) + sum(sizes)
        if len(page) < _OGG_HEADER or len(sizes) < page[-1] or end > len(data):
            return [data[start:stop] for start, stop in pairwise(starts)] + [None]
        begins = bool(page[5] & 2)
        if begins and not beginning:
            starts.append(at)
        beginning, at = begins, end
    return [data[start:stop] for start, stop in pairwise([*starts, len(data)])]


def is_cut_aiff(data: bytes) -> bool:
    """Whether the samples chunk of an AIFF file is longer than what is there of it."""
    at = _RIFF_HEADER
    while at + _CHUNK_HEADER <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"SSND":
            return at + _CHUNK_HEADER + size > len(data)
        at += _CHUNK_HEADER + size + (size & 1)
    return True


def declares_length(data: bytes) -> bool:
    """Whether an MPEG sound file says how many frames it has: the Xing or Info header of its first frame."""
    head = data[behind_id3(data) :][:256]
    return b"Xing" in head or b"Info" in head or b"VBRI" in head
