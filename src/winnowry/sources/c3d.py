"""C3D: points in space and analog channels, as motion laboratories keep them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO, ClassVar

import numpy as np
import numpy.typing as npt

from winnowry.records.motion import Float64s, Motion, metres
from winnowry.sources.base import ReadLimits
from winnowry.sources.c3d_parameters import BLOCK, Header, Parameters, header_of, parameters_of
from winnowry.sources.content import content_chunks
from winnowry.sources.motion_format import MotionFormat, NoClipError

_WORD = 1 << 16
_RESIDUAL = 0xFF  # of the word beside a point; the other bits say which cameras saw it
_NO_PLACES = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")  # kinds of points, as laboratories list them
_UP = {"+X": "x", "+Y": "y", "+Z": "z", "-X": "-x", "-Y": "-y", "-Z": "-z", "X": "x", "Y": "y", "Z": "z"}


class C3d(MotionFormat):
    """Reads a C3D file as a clip of points, with their residuals and analog channels.

    Files of Intel, DEC and MIPS processors are read, with points as whole or as floating-point numbers. A point that
    was not seen is null. The number of frames is the one that the bytes confirm: the header counts to 65,535 only. A
    file that holds fewer or more frames than it states is refused.
    """

    name: ClassVar[str] = "c3d"

    def chunks(self, stream: BinaryIO, limits: ReadLimits) -> Iterator[bytes]:
        """The bytes."""
        return content_chunks(stream, limits)

    def clip(self, data: bytes, uri: str) -> Motion:
        """The clip of a file.

        Raises:
            NoClipError: ``not_c3d``, ``processor``, ``parameters``, ``no_channels``, ``no_frames``, ``frame_time`` or
                ``frames_differ``.
        """
        header = header_of(data)
        parameters = parameters_of(data, header)
        rate = header.rate
        if not (math.isfinite(rate) and rate > 0):
            rate = parameters.number("POINT", "RATE") or 0.0
        if rate <= 0:
            raise NoClipError("frame_time", f"{header.rate:g} frames a second", "more than 0")
        if header.row_bytes == 0:
            raise NoClipError("no_channels", "neither points nor analog channels")
        header, n_frames = _frames(data, header, parameters)
        rows = data[header.data_start : header.data_start + n_frames * header.row_bytes]
        table = (header.numbers.reals(rows) if header.is_real else header.numbers.shorts(rows)).reshape(n_frames, -1)
        values, residuals = _points(table[:, : 4 * header.n_points], header)
        n_channels = header.n_analog // header.samples if header.samples else 0
        analog = _analog(table[:, 4 * header.n_points :], n_channels, header, parameters)
        unit, up = parameters.text("POINT", "UNITS"), parameters.text("POINT", "Y_SCREEN")
        return Motion(
            (),
            values,
            1 / rate,
            unit=unit if metres(unit) is not None else None,
            up=_UP.get((up or "").upper()),
            labels=_labels(parameters, "POINT", header.n_points),
            residuals=residuals,
            analog=analog if n_channels else None,
            analog_rate=rate * header.samples if n_channels else None,
            analog_labels=_labels(parameters, "ANALOG", n_channels),
            group=parameters.text("SUBJECTS", "NAMES"),
            extra=_extra(parameters),
            layout={
                "format": "c3d",
                "processor": header.numbers.processor,
                "storage": "real" if header.is_real else "integer",
                "scale": header.scale,
                "first": header.first,
                "no_places": [name for kind in _NO_PLACES for name in parameters.texts("POINT", kind)],
            },
        )


def _frames(data: bytes, header: Header, parameters: Parameters) -> tuple[Header, int]:
    """The number of frames that is stated somewhere and that the bytes confirm; with the header as they confirm it."""
    stated = _stated(header, parameters)
    if header.data_start < BLOCK or not stated:
        raise NoClipError("parameters", f"frames at byte {header.data_start}", "behind the header")
    headers = [header]
    if header.samples > 1 and header.n_analog == parameters.number("ANALOG", "USED"):  # it counts channels
        headers.append(replace(header, n_analog=header.n_analog * header.samples))
    for one in headers:
        n_frames = _confirmed(data, one, stated)
        if n_frames is not None:
            return one, n_frames
    if max(stated) == 0:
        raise NoClipError("no_frames", "0 frames")
    there = _room(data, header) // header.row_bytes
    raise NoClipError("frames_differ", f"{there} frames", f"{stated[0]}, as the file states")


def _room(data: bytes, header: Header) -> int:
    """Bytes that are there for frames."""
    end = header.parameters_at if header.parameters_at > header.data_start else len(data)
    return max(0, end - header.data_start)


def _confirmed(data: bytes, header: Header, stated: list[int]) -> int | None:
    room = _room(data, header)
    there = room // header.row_bytes
    end = header.data_start + room
    for n_frames in stated:
        # The last block is filled up; some writers add blocks of zeros.
        rest = data[header.data_start + n_frames * header.row_bytes : end]
        if 0 < n_frames <= there and (len(rest) < BLOCK or not rest.strip(b"\0")):
            return n_frames
    # What 16 bits cannot count.
    beyond = [n_frames + (there - n_frames) // _WORD * _WORD for n_frames in stated if n_frames < there]
    for n_frames in beyond:
        if n_frames >= _WORD and room - n_frames * header.row_bytes < BLOCK:
            return n_frames
    ended = _WORD - 1 in (header.last, *stated)  # counted as far as 16 bits go
    return there if ended and there >= _WORD else None


def _stated(header: Header, parameters: Parameters) -> list[int]:
    """Numbers of frames, as different places state them."""
    first, last = (parameters.words("TRIAL", f"ACTUAL_{end}_FIELD") for end in ("START", "END"))
    counts: list[int] = []
    if len(first) >= 2 and len(last) >= 2:
        counts.append(last[0] + _WORD * last[1] - first[0] - _WORD * first[1] + 1)
    counts.append(header.last - header.first + 1)
    for name in ("FRAMES", "LONG_FRAMES"):
        words = parameters.words("POINT", name)
        value = float(words[0]) if words else parameters.number("POINT", name)
        if value is not None and value == int(value):
            counts.append(int(value))
    return [n_frames for n_frames in dict.fromkeys(counts) if n_frames >= 0]


def _points(table: npt.NDArray[Any], header: Header) -> tuple[Float64s, Float64s]:
    """Positions, and how far the rays of the cameras missed each other there; -1 where a point was not seen."""
    n_frames, n_points = len(table), header.n_points
    four = table.reshape(n_frames, n_points, 4).astype(np.float64)
    beside = np.nan_to_num(four[..., 3], nan=-1.0).clip(-32768, 32767).astype(np.int32)
    seen = beside >= 0
    scale = abs(header.scale)
    residuals = np.where(seen, (beside & _RESIDUAL) * scale, -1.0)
    places = four[..., :3] * (1.0 if header.is_real else scale)
    places[~seen] = np.nan
    return places.reshape(n_frames, 3 * n_points), residuals


def _analog(table: npt.NDArray[Any], n_channels: int, header: Header, parameters: Parameters) -> Float64s:
    """Samples × channels, in the units of the channels."""
    if not n_channels:
        return np.empty((0, 0))
    samples = table[:, : n_channels * header.samples].reshape(-1, n_channels).astype(np.float64)
    unsigned = (parameters.text("ANALOG", "FORMAT") or "").upper() == "UNSIGNED"
    if unsigned and not header.is_real:
        samples[samples < 0] += _WORD
    offsets = np.array(_of_channels(parameters.numbers("ANALOG", "OFFSET"), n_channels, 0.0))
    if unsigned:
        offsets[offsets < 0] += _WORD
    scales = np.array(_of_channels(parameters.numbers("ANALOG", "SCALE"), n_channels, 1.0))
    general = parameters.number("ANALOG", "GEN_SCALE")
    return (samples - offsets) * scales * (1.0 if general is None else general)  # type: ignore[no-any-return]


def _of_channels(values: list[float], n_channels: int, otherwise: float) -> list[float]:
    return (values + [otherwise] * n_channels)[:n_channels]


def _labels(parameters: Parameters, group: str, n_labels: int) -> tuple[str, ...]:
    labels = parameters.texts(group, "LABELS")[:n_labels]
    return tuple(label or f"*{number}" for number, label in enumerate(labels + [""] * (n_labels - len(labels)), 1))


def _extra(parameters: Parameters) -> dict[str, Any]:
    """What the file says of the trial: events, and who wrote it."""
    times = parameters.numbers("EVENT", "TIMES")
    minutes = times[0::2], times[1::2]
    contexts, labels = (parameters.texts("EVENT", name) for name in ("CONTEXTS", "LABELS"))
    events = [
        {"time_s": 60 * whole + seconds, "context": context, "label": label}
        for whole, seconds, context, label in zip(*minutes, contexts, labels, strict=False)
    ]
    subjects = parameters.texts("SUBJECTS", "NAMES")
    facts: dict[str, Any] = {"events": events, "subjects": subjects if len(subjects) > 1 else None}
    facts["company"] = parameters.text("MANUFACTURER", "COMPANY")
    facts["software"] = parameters.text("MANUFACTURER", "SOFTWARE")
    return {name: value for name, value in facts.items() if value}
