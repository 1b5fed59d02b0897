"""What the SAC/TC609 quality specification asks of a data set, answered from a release's facts.

Source: TC609-5-2025-04 as implemented in dingo-python 2.5.0 (rules and prompts ``TC609``); the standard itself was not
read. An item of a modality that the release does not hold is not applicable; what has no reference is not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from winnowry.evidence.valid2.tc609_media import media_items

Facts = Mapping[str, Any]
Status = Literal["measured", "declared", "not applicable", "not measured"]

ENOUGH = 4
"""Checks out of five that make a part of the documentation complete (dingo's threshold)."""
_PARTS = {"0101": "basic information", "0102": "content features", "0103": "construction", "0104": "application notes"}
# Item, name, indicators of the card that measure it (the first is its value; the others are named with it).
_MEASURED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("0201", "format compliance", ("decoded_share",)),
    ("0204", "structural completeness", ("required_known", "text_present")),
    ("0205", "content authenticity", ("source_known", "license_known", "hash_verified", "fact_conflict")),
    ("02080101", "text: perplexity", ("bits_per_byte",)),
    ("02080102", "text: knowledge and information density", ("content_word_share", "knowledge_density", "zstd_ratio")),
    ("02080103", "text: repeated content", ("duplicate_share", "near_duplicate_share")),
    ("02080104", "text: completeness", ("truncated_share",)),
    ("02080105", "text: information missing", ("text_present",)),
    ("02080106", "text: purity", ("boilerplate_share",)),
    ("0301", "content diversity", ("source_entropy", "top_source_share", "language_entropy", "time_entropy")),
    ("0302", "scale completeness", ("rows", "tokens", "effective_rows")),
    ("0303", "timeliness", ("fresh_share", "age_p50")),
)
_COMPLIANCE, _ACCURACY = "annotation compliance", "annotation accuracy"
_NO_LABELS = "the gate names no column of labels"
_SAFETY = ("text.pii", "text.word_lists", "text.url_filter")
_CLEANLINESS = "0208"
_TEXTS = "020801"
_NO_TEXT = "the release holds no text"


def tc609(facts: Facts) -> dict[str, Any]:
    """The 17 indicators with 23 items of cleanliness, 7 of text and 16 of media, and 20 checks of the documentation.

    Args:
        facts: what ``release_facts`` knows, ``valid2`` included.

    Returns:
        ``indicators``: ``id``, ``name``, ``status`` (measured, declared, not applicable, not measured), ``value`` and
        ``by`` as text, in the order of the ids; ``documentation``: ``id``, ``name``, ``answered`` and ``answer``.
    """
    card = {item["name"]: item for letter in facts["valid2"]["letters"] for item in letter["indicators"]}
    checks = _documentation(facts, card["annotated_share"])
    indicators = [_part(part, name, checks) for part, name in _PARTS.items()]
    indicators += [
        _item(item[0], item[1], "not applicable", _NO_TEXT, "–")
        if item[0].startswith(_TEXTS) and "text" not in facts["media"]
        else _by_card(*item, card)
        for item in _MEASURED
    ]
    indicators += [_safety(facts), *_labels(card), *_fixed(facts), *media_items(facts)]
    cleanliness = [
        item for item in indicators if item["id"].startswith(_CLEANLINESS) and item["status"] != "not applicable"
    ]
    n = sum(item["status"] == "measured" for item in cleanliness)
    status: Status = "measured" if n else "not measured"
    indicators.append(
        _item(
            _CLEANLINESS, "content cleanliness", status, f"{n} of {len(cleanliness)} items measured", "the items below"
        )
    )
    return {"indicators": sorted(indicators, key=lambda item: str(item["id"])), "documentation": checks}


def _item(identity: str, name: str, status: Status, value: str, by: str) -> dict[str, str]:
    return {"id": identity, "name": name, "status": status, "value": value, "by": by}


def _part(part: str, name: str, checks: list[dict[str, Any]]) -> dict[str, str]:
    own = [check for check in checks if check["id"].startswith(part)]
    n = sum(check["answered"] for check in own)
    value = f"{n} of {len(own)} checks answered" + ("" if n >= ENOUGH else f"; {ENOUGH} make it complete")
    return _item(part, f"documentation: {name}", "measured", value, "the checks below")


def _by_card(identity: str, name: str, indicators: tuple[str, ...], card: Facts) -> dict[str, str]:
    known = [card[indicator] for indicator in indicators if card[indicator]["value"] is not None]
    if not known:
        return _item(identity, name, "not measured", card[indicators[0]]["why"], indicators[0])
    value = "; ".join(f"{item['label']} {_shown(item)}" for item in known)
    return _item(identity, name, "measured", value, ", ".join(item["name"] for item in known))


def _shown(item: Facts) -> str:
    return f"{item['value']:.1%}" if item["unit"] == "share" else f"{item['value']:,.6g}"


def _safety(facts: Facts) -> dict[str, str]:
    ran = [op for op in _operators(facts) if op in _SAFETY]
    if not ran:
        return _item("0202", "safety compliance", "not measured", f"the recipe has none of {', '.join(_SAFETY)}", "–")
    dropped = sum(
        reason["rows"] for step in facts["funnel"] for reason in step["reasons"] if reason["operator"] in _SAFETY
    )
    return _item("0202", "safety compliance", "measured", f"{dropped:,} records left out", ", ".join(ran))


def _labels(card: Facts) -> list[dict[str, str]]:
    if card["annotated_share"]["value"] is None:
        none: Status = "not applicable"
        return [_item("0203", _COMPLIANCE, none, _NO_LABELS, "–"), _item("0304", _ACCURACY, none, _NO_LABELS, "–")]
    return [
        _by_card("0203", _COMPLIANCE, ("annotated_share",), card),
        _by_card("0304", _ACCURACY, ("annotation_accuracy", "annotation_kappa"), card),
    ]


def _fixed(facts: Facts) -> list[dict[str, str]]:
    compared = facts.get("comparison")
    fitness = _item("0305", "model fitness", "not measured", "no comparison was made for this release", "comparison")
    if compared is not None:
        fitness = _item("0305", "model fitness", "measured", str(compared["verdict"]), "comparison")
    coherence = _item("02080107", "text: coherence", "not applicable", _NO_TEXT, "–")
    if "text" in facts["media"]:
        coherence = _item("02080107", "text: coherence", "not measured", "no operator of winnowry measures it", "–")
    one = "a record has one content"
    consistent = "the class of the data set is not checked against its content"
    return [
        fitness,
        _item("0206", "content consistency", "not applicable", one, "–"),
        _item("0207", "type consistency", "not measured", consistent, "–"),
        coherence,
    ]


def _operators(facts: Facts) -> list[str]:
    stages = facts["made"]["stages"]
    named = [operator for key in ("clean", "score") for spec in stages.values() for operator in spec.get(key) or []]
    return [str(operator.get("op")) for operator in named]


def _documentation(facts: Facts, labelled: Facts) -> list[dict[str, Any]]:
    """Five checks of each part; an answer that the tables do not hold is open, never guessed."""
    has_labels = labelled["value"] is not None
    data, release, card, made = facts["contents"], facts["release"], facts["valid2"], facts["made"]
    sources: list[Any] = next((spec["sources"] for spec in made["stages"].values() if spec.get("sources")), [])
    compared = facts.get("comparison")
    operators = _operators(facts)
    suites = facts["gates"]["suites"]
    verdicts = sum(suite[kind] for suite in suites for kind in ("passed", "warned", "failed", "broken"))
    tokens = "" if data["tokens"] is None else f", {data['tokens']:,} {data.get('unit', 'tokens')}"
    licenses = [entry["name"] for entry in data["licenses"]["listed"] if entry["name"]]
    languages = data["languages"]["listed"] if data["languages"] else []
    spread = f"{data['sources']['total']:,} sources"
    spread += f", {data['languages']['total']:,} languages" if languages else ""
    spread += f", dates {data['time']['first'][:10]} to {data['time']['last'][:10]}" if data["time"]["first"] else ""
    described = (card.get("description") or "").strip()
    answers: dict[str, list[tuple[str, str]]] = {
        "0101": [
            ("scale", f"{data['rows']:,} records{tokens}"),
            ("format", "Lance table; JSON Lines, Parquet and, of files, WebDataset by winnowry export"),
            ("file structure", "one table; an export has a manifest of its files"),
            ("access", facts["use"]["read"].splitlines()[1]),
            ("support", card.get("owner") or ""),
        ],
        "0102": [
            ("modality", ", ".join(facts["media"])),
            ("distribution", spread),
            ("label statistics", f"{_shown(labelled)}, {labelled['note']}" if has_labels else _NO_LABELS),
            ("samples", ""),
            ("limitations", "; ".join(limit["text"] for limit in facts["limits"][:3])),
        ],
        "0103": [
            ("source", "; ".join(f"{source.get('name')}: {source.get('uri')}" for source in sources[:5])),
            ("collection", described),
            ("processing", ", ".join(operators)),
            ("labelling specification", "" if has_labels else _NO_LABELS),
            ("version control", f"{release['name']}, recipe {str(release['data_hash'])[:16]}" if release["data_hash"]
             else release["name"]),
        ],
        "0104": [
            ("licence", ", ".join(licenses[:5]) if licenses and not data["unlicensed"] else ""),
            ("target use", f"{card['domain']}, for {card['consumer']}" if card.get("gated") else ""),
            ("evaluation method", f"{verdicts:,} gate results by {len(suites):,} suites" if suites else ""),
            ("benchmark result", str(compared["verdict"]) if compared is not None else ""),
            ("typical case", facts["use"]["reproduce"]),
        ],
    }  # fmt: skip
    return [
        {"id": f"{part}.{place}", "name": name, "answered": bool(answer), "answer": answer or "not in the tables"}
        for part, checks in answers.items()
        for place, (name, answer) in enumerate(checks, start=1)
    ]
