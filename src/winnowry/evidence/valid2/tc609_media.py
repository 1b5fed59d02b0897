"""The sixteen items of SAC/TC609 about pictures, films and sound, answered from medians of what was measured.

Source: as in :mod:`winnowry.evidence.valid2.tc609`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Facts = Mapping[str, Any]
Modality = Literal["image", "video", "audio"]


class _Item(NamedTuple):
    """One item: the columns of which all are shown, their words, and what writes them."""

    identity: str
    name: str
    columns: tuple[str, ...] = ()
    form: str = ""
    operator: str = ""


_DUPLICATION, _SDR = "duplication rate", "signal-to-distortion ratio"
_NO_REFERENCE = "it needs the undistorted signal, which a release does not have"
_ITEMS: dict[Modality, tuple[_Item, ...]] = {
    "image": (
        _Item("02080201", "resolution", ("width", "height"), "{:,.0f} × {:,.0f} pixels", "image.measure"),
        _Item("02080202", _DUPLICATION),
        _Item("02080203", "signal-to-noise ratio", ("snr_db",), "{:.1f} dB", "image.measure"),
        _Item("02080204", "clarity", ("piqe",), "PIQE {:.1f} (0 excellent to 100 bad)", "image.piqe"),
    ),
    "video": (
        _Item("02080301", "resolution", ("width", "height"), "{:,.0f} × {:,.0f} pixels", "video.facts"),
        _Item("02080302", _DUPLICATION),
        _Item("02080303", "frame rate", ("fps",), "{:.3g} frames a second", "video.facts"),
        _Item("02080304", "duration", ("duration_ms",), "{:,.1f} s", "video.facts"),
        _Item("02080305", "clarity", ("piqe",), "PIQE {:.1f}", ""),
        _Item("02080306", "dynamic range", ("dynamic_range",), "{:.0f} of 255 grey levels", "video.measure"),
    ),
    "audio": (
        _Item("02080401", "signal-to-noise ratio", ("snr_db",), "{:.1f} dB", "audio.measure"),
        _Item("02080402", _SDR),
        _Item("02080403", "sample rate", ("rate_hz",), "{:,.0f} Hz", "audio.facts"),
        _Item("02080404", "bit depth", ("bits",), "{:.0f} bits", "audio.facts"),
        _Item("02080405", "bit rate", ("bit_rate",), "{:,.0f} bits a second", "audio.facts"),
        _Item("02080406", "duration", ("duration_ms",), "{:,.1f} s", "audio.facts"),
    ),
}
NAMES: dict[Modality, str] = {"image": "pictures", "video": "films", "audio": "sound"}


def media_items(facts: Facts) -> list[dict[str, str]]:
    """Every item with its status; where the release holds none of a modality, they are not applicable.

    Args:
        facts: ``media``, ``duplicates`` and ``made`` of a release.
    """
    return [
        {"id": item.identity, "name": f"{modality}: {item.name}", **_answer(facts, modality, item)}
        for modality, items in _ITEMS.items()
        for item in items
    ]


def _answer(facts: Facts, modality: Modality, item: _Item) -> dict[str, str]:
    held = facts["media"].get(modality)
    if held is None:
        return {"status": "not applicable", "value": f"the release holds no {NAMES[modality]}", "by": "–"}
    if item.name == _DUPLICATION:
        return _copies(facts)
    if item.name == _SDR:
        return {"status": "not measured", "value": _NO_REFERENCE, "by": "–"}
    medians = held["medians"]
    absent = [name for name in item.columns if name not in medians]
    if absent:
        by = f" (operator {item.operator})" if item.operator else ""
        return {"status": "not measured", "value": f"the release has no value of `{absent[0]}`{by}", "by": "–"}
    values = (medians[name] / (1000 if name == "duration_ms" else 1) for name in item.columns)
    return {"status": "measured", "value": f"median {item.form.format(*values)}", "by": ", ".join(item.columns)}


def _copies(facts: Facts) -> dict[str, str]:
    duplicates, stages = facts["duplicates"], facts["made"]["stages"].values()
    looked = any(str(op.get("op")).startswith("dedup.") for spec in stages for op in spec.get("clean") or [])
    if not looked or duplicates is None or duplicates["share"] is None:
        return {"status": "not measured", "value": "the recipe looks for no duplicates", "by": "–"}
    methods = ", ".join(str(method["method"]) for method in duplicates["methods"])
    left_out = f"{duplicates['share']:.1%} of the cleaned records were copies of others and left out"
    return {"status": "measured", "value": left_out, "by": methods or "duplicates"}
