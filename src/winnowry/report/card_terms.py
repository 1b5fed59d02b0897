"""What a release's page and cards share: licences, languages, sizes, dates and rules in the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from winnowry.core.numbers import day

Facts = Mapping[str, Any]

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_HUB_LICENSES = frozenset({
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear",
    "bsl-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0",
    "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1",
    "lgpl-3.0", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa", "odbl", "odc-by", "ofl-1.1", "osl-3.0", "pddl",
    "postgresql", "unlicense", "wtfpl", "zlib",
})  # fmt: skip
"""Source: https://huggingface.co/docs/hub/repositories-licenses, those that SPDX knows too."""
_OTHERWISE = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl"}
_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"),
          (1e8, "10M<n<100M"), (1e9, "100M<n<1B"), (1e10, "1B<n<10B"), (1e11, "10B<n<100B"),
          (1e12, "100B<n<1T"))  # fmt: skip


def stated_licenses(facts: Facts) -> list[str]:
    """Licences as the records state them, most tokens first; empty where none does."""
    return [str(entry["name"]) for entry in facts["contents"]["licenses"]["listed"] if entry["name"]]


def license_sentence(facts: Facts) -> str:
    """What is known of the licences, in one sentence; never more than the records state."""
    data, stated = facts["contents"], stated_licenses(facts)
    if not data["rows"]:
        return "The release holds no record."
    if not stated:
        return "No record states a licence: whether the data may be used is for the reader to find out."
    n_stated = data["licenses"]["total"] - (1 if data["unlicensed"] else 0)
    more = f" and {n_stated - len(stated):,} more" if n_stated > len(stated) else ""
    text = f"Stated licence{'s' if n_stated > 1 else ''}: {', '.join(stated)}{more}"
    if data["unlicensed"]:
        text += f"; {data['unlicensed']:,} of {data['rows']:,} records state none"
    return f"{text}."


def hub_license(name: str) -> str | None:
    """The identifier that the Hugging Face hub has for an SPDX licence; None where it has none.

    >>> hub_license("CC-BY-4.0"), hub_license("ODC-By-1.0"), hub_license("GPL-3.0-or-later"), hub_license("ours")
    ('cc-by-4.0', 'odc-by', 'gpl-3.0', None)
    """
    lower = re.sub(r"-(only|or-later)$", "", name.strip().lower())
    lower = _OTHERWISE.get(lower, lower)
    return lower if lower in _HUB_LICENSES else None


def languages(facts: Facts) -> list[str]:
    """Codes of the languages that were identified, most tokens first; empty where nobody looked."""
    identified = facts["contents"]["languages"]
    return [] if identified is None else [
        entry["name"] for entry in identified["listed"] if entry["name"] and _LANGUAGE.fullmatch(entry["name"])
    ]  # fmt: skip


def dates_sentence(time: Facts) -> str:
    """From when to when the records date, and how many have no date."""
    if time["first"] is None:
        return "No record has a date."
    undated = f"; {time['undated']:,} have none." if time["undated"] else "."
    return f"Dates of the records: {day(time['first'])} to {day(time['last'])}{undated}"


def rule_name(rule: Facts) -> str:
    """What left records out: operator and reason, or one of them where they have one name."""
    operator, reason = str(rule["operator"]), str(rule["reason"])
    return f"{operator}: {reason}" if operator != reason else reason


def size_category(rows: int) -> str:
    """The hub's class of a number of records.

    >>> size_category(999), size_category(1000), size_category(4298), size_category(10**12)
    ('n<1K', '1K<n<10K', '1K<n<10K', 'n>1T')
    """
    return next((name for limit, name in _SIZES if rows < limit), "n>1T")


def one_line(text: str) -> str:
    r"""Text on one line, without control characters.

    >>> one_line("a\nb\x1b[31m")
    'a b [31m'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
