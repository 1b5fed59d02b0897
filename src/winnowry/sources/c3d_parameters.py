"""The header and the parameters of C3D files, in the three ways that processors wrote numbers."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from winnowry.sources.motion_format import NoClipError

BLOCK = 512
_MAGIC = 0x50
_MOST_LISTS = 256  # LABELS, LABELS2, … LABELS256
_TEXT, _BYTE, _SHORT, _REAL = -1, 1, 2, 4

Processor = Literal["intel", "dec", "mips"]
_PROCESSORS: Mapping[int, Processor] = {84: "intel", 85: "dec", 86: "mips"}
Value = list[str] | npt.NDArray[np.generic]


@dataclass(frozen=True)
class Numbers:
    """How a processor wrote numbers of two and four bytes."""

    processor: Processor

    def shorts(self, data: bytes) -> npt.NDArray[np.int16]:
        """Whole numbers with a sign."""
        return np.frombuffer(data, ">i2" if self.processor == "mips" else "<i2").astype(np.int16)

    def reals(self, data: bytes) -> npt.NDArray[np.float32]:
        """Floating-point numbers; those of DEC have their halves swapped and an exponent that is two higher."""
        if self.processor != "dec":
            return np.frombuffer(data, ">f4" if self.processor == "mips" else "<f4").astype(np.float32)
        halves = np.frombuffer(data, "<u2").reshape(-1, 2)[:, ::-1]
        return np.ascontiguousarray(halves).view("<f4").reshape(-1).astype(np.float32) / np.float32(4)


@dataclass(frozen=True)
class Header:
    """The first block of a file.

    Attributes:
        numbers: how numbers are written.
        n_points: points of a frame.
        n_analog: analog numbers of a frame, over all channels.
        first: number of the first frame.
        last: of the last one, as far as 16 bits go.
        scale: of points that are whole numbers; below 0 where points are floating-point.
        data_start: first byte of the frames.
        samples: analog samples of a channel in a frame.
        rate: frames a second.
        parameters_at: first byte of the parameters.
    """

    numbers: Numbers
    n_points: int
    n_analog: int
    first: int
    last: int
    scale: float
    data_start: int
    samples: int
    rate: float
    parameters_at: int

    @property
    def is_real(self) -> bool:
        """Whether frames are floating-point numbers."""
        return self.scale < 0

    @property
    def row_bytes(self) -> int:
        """Of a frame."""
        return (4 * self.n_points + self.n_analog) * (4 if self.is_real else 2)


def header_of(data: bytes) -> Header:
    """The header of a file.

    Raises:
        NoClipError: ``not_c3d``, ``parameters`` (the file ends before them) or ``processor``.
    """
    if len(data) < 2 or data[1] != _MAGIC:
        raise NoClipError("not_c3d", f"begins with {data[:4].hex(' ')}", "80 (hexadecimal 50) as its second byte")
    parameters_at = (data[0] - 1) * BLOCK
    if parameters_at < BLOCK or parameters_at + 4 > len(data):
        raise NoClipError("parameters", f"at byte {parameters_at} of {len(data)}", "inside the file")
    kind = data[parameters_at + 3]
    if kind not in _PROCESSORS:
        raise NoClipError("processor", str(kind), "84 (Intel), 85 (DEC) or 86 (MIPS)")
    numbers = Numbers(_PROCESSORS[kind])
    words = numbers.shorts(data[:BLOCK]).view(np.uint16).tolist()
    return Header(
        numbers,
        n_points=words[1],
        n_analog=words[2],
        first=words[3],
        last=words[4],
        scale=float(numbers.reals(data[12:16])[0]),
        data_start=(words[8] - 1) * BLOCK,
        samples=words[9],
        rate=float(numbers.reals(data[20:24])[0]),
        parameters_at=parameters_at,
    )


@dataclass(frozen=True)
class Parameters:
    """The parameters of a file by group and name, both in capitals."""

    values: Mapping[tuple[str, str], Value]

    def texts(self, group: str, name: str) -> list[str]:
        """A list of texts, together with those behind it: LABELS, LABELS2, LABELS3 …"""
        return [text for value in self._lists(group, name) if isinstance(value, list) for text in value]

    def numbers(self, group: str, name: str) -> list[float]:
        """A list of numbers, together with those behind it."""
        return [float(one) for value in self._lists(group, name) if not isinstance(value, list) for one in value]

    def text(self, group: str, name: str) -> str | None:
        """The first of its texts; None where there is none, or it is empty."""
        return next((text for text in self.texts(group, name) if text), None)

    def number(self, group: str, name: str) -> float | None:
        """The first of its numbers; None where there is none, or it is not finite."""
        value = next(iter(self.numbers(group, name)), math.nan)
        return value if math.isfinite(value) else None

    def words(self, group: str, name: str) -> list[int]:
        """Its whole numbers of 16 bits, without a sign; none where they are of another type."""
        value = self.values.get((group, name))
        if isinstance(value, list) or value is None or value.dtype != np.int16:
            return []
        return value.view(np.uint16).tolist()  # type: ignore[no-any-return]

    def _lists(self, group: str, name: str) -> Sequence[Value]:
        more = [f"{name}{number}" for number in range(2, _MOST_LISTS + 1)]
        lists = []
        for key in (name, *more):
            value = self.values.get((group, key))
            if value is None:
                break
            lists.append(value)
        return lists


def parameters_of(data: bytes, header: Header) -> Parameters:
    """The parameters of a file.

    Raises:
        NoClipError: ``parameters``: they are damaged, or the file ends inside them.
    """
    groups: dict[int, str] = {}
    values: dict[tuple[int, str], Value] = {}
    at = header.parameters_at + 4
    seen: set[int] = set()
    # The last parameter of some files points anywhere; blocks of parameters are counted to 255 only.
    end = header.data_start if header.data_start > header.parameters_at else len(data)
    try:
        while at not in seen and at < end:
            seen.add(at)
            n_letters, group = struct.unpack_from("bb", data, at)
            n_letters = abs(n_letters)  # below 0 where it is locked
            if n_letters == 0 or group == 0:
                break
            name = _text(data[at + 2 : at + 2 + n_letters]).upper()
            link = at + 2 + n_letters
            (step,) = header.numbers.shorts(data[link : link + 2]).tolist()
            if group < 0:
                groups[-group] = name
            else:
                values[group, name] = _value(data, link + 2, header.numbers)
            if step == 0:
                break
            at = link + step
    except (struct.error, ValueError, IndexError) as wrong:
        raise NoClipError("parameters", f"byte {at}: {wrong}", "whole parameters") from None
    return Parameters({(groups.get(group, ""), name): value for (group, name), value in values.items()})


def _value(data: bytes, at: int, numbers: Numbers) -> Value:
    kind, n_dimensions = struct.unpack_from("bB", data, at)
    dimensions = list(data[at + 2 : at + 2 + n_dimensions])
    first = at + 2 + n_dimensions
    n_bytes = math.prod(dimensions) * abs(kind)
    raw = data[first : first + n_bytes]
    if len(raw) < n_bytes or len(dimensions) < n_dimensions:
        raise ValueError("the file ends inside a parameter")
    if kind == _TEXT:
        width = dimensions[0] if dimensions else 1
        if len(dimensions) < 2:
            return [_text(raw)]
        return [_text(raw[start : start + width]) for start in range(0, len(raw), width)] if width else []
    if kind == _BYTE:
        return np.frombuffer(raw, np.uint8)
    if kind == _SHORT:
        return numbers.shorts(raw)
    if kind == _REAL:
        return numbers.reals(raw)
    raise ValueError(f"type {kind} of a parameter")


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\0", " ").strip()
