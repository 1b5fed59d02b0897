"""A release as Croissant 1.0, the JSON-LD in which data sets for machine learning are described.

Source: MLCommons, Croissant Format Specification 1.0 (http://mlcommons.org/croissant/1.0) and Croissant RAI 1.0
(http://mlcommons.org/croissant/RAI/1.0).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from winnowry.report.card_terms import languages, license_sentence, stated_licenses
from winnowry.report.cells import most_rows, unit_of

Facts = Mapping[str, Any]

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_LANCE = (
    "https://lance.org/format/"  # there is no media type of Lance files; then a Web page of the format is asked for
)
_MANIFEST, _FILES, _RECORDS = "manifest", "data-files", "records"
_CONTENT, _THUMBNAIL = "payload", "thumbnail"
_OBJECTS = {"image": "sc:ImageObject", "audio": "sc:AudioObject", "video": "sc:VideoObject"}
_STRUCTURE = re.compile(r"struct<([^<>]*)>")
_INTEGER = re.compile(r"u?int(8|16|32|64)")
_LIST = re.compile(r"(?:large_|fixed_size_)?list(?:_view)?<\w+: (.+?)(?: not null)?>(?:\[\d+\])?")


def croissant(facts: Facts, *, table: str | None = None) -> dict[str, Any]:
    """Describe a release for machines.

    Args:
        facts: what ``releases.facts.facts.release_facts`` gives.
        table: where the table lies, seen from the card; where it lies in the lake when None.

    Returns:
        JSON-LD. What nobody knows (a licence that no record states, a creator, a Web page) is not in it.
    """
    release, data = facts["release"], facts["contents"]
    at = (facts["table"]["uri"] if table is None else table).rstrip("/")
    card: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": facts["corpus"],
        "description": _description(facts),
        "version": f"{release['name'].removeprefix('v')}.0.0",
        "citeAs": facts["use"]["cite"],
    }
    licenses = stated_licenses(facts)
    if licenses:
        card["license"] = licenses[0] if len(licenses) == 1 else licenses
    if release["created_at"]:
        card["datePublished"] = release["created_at"][:10]
    if languages(facts):
        card["inLanguage"] = languages(facts)
    if data["time"]["first"] is not None:
        card["temporalCoverage"] = f"{data['time']['first'][:10]}/{data['time']['last'][:10]}"
    card |= _responsible(facts)
    card["distribution"] = _distribution(facts, at)
    card["recordSet"] = [_record_set(facts)]
    return card


def _description(facts: Facts) -> str:
    release, data = facts["release"], facts["contents"]
    parts = [str((facts.get("about") or {}).get("description") or "").strip().rstrip(".")]
    tokens = "" if data["tokens"] is None else f" with {data['tokens']:,} {unit_of(data)}"
    read = facts["funnel"][0]["rows"] if facts["funnel"] else None
    made = read is not None and most_rows(facts["funnel"]) > read
    of = "" if read is None else f", made from {read:,} that were read" if made else f", out of {read:,} that were read"
    parts.append(f"Release {release['name']} of the corpus {facts['corpus']}: {data['rows']:,} records{tokens}{of}")
    return ". ".join(filter(None, parts)) + f". {license_sentence(facts)}"


def _responsible(facts: Facts) -> dict[str, Any]:
    """What the vocabulary for responsible AI asks for and the tables answer."""
    answers: dict[str, Any] = {}
    if facts["limits"]:
        answers["rai:dataLimitations"] = [limit["text"] for limit in facts["limits"]]
    steps = facts["made"]["stages"]
    named: list[Mapping[str, Any]] = []
    operators = []
    for stage, spec in steps.items():
        for op in [*(spec.get("clean") or []), *(spec.get("score") or [])]:
            if op not in named:  # an operator that two stages depend on is told once
                named.append(op)
                operators.append(f"{stage}: {op.get('op')}, version {op.get('version', 1)}")
        if spec.get("sample"):
            by = f" by {spec['sample']['by']}" if spec["sample"].get("by") else ""
            operators.append(f"{stage}: {spec['sample'].get('method')}{by}")
    if operators:
        answers["rai:dataPreprocessingProtocol"] = operators
    specified: list[Mapping[str, Any]] = next((spec["sources"] for spec in steps.values() if spec.get("sources")), [])
    sources = [source for source in specified if source.get("name")]
    if sources:
        listed = ", ".join(f"{source['name']} ({source.get('format', 'jsonl')})" for source in sources)
        answers["rai:dataCollection"] = f"Taken from files that were there: {listed}."
    return answers


def _distribution(facts: Facts, at: str) -> list[dict[str, Any]]:
    manifest, release = facts["table"]["manifest"], facts["release"]
    files: dict[str, Any] = {
        "@type": "cr:FileSet",
        "@id": _FILES,
        "name": _FILES,
        "description": "Data files of the Lance table; those of this release are the ones that the manifest names.",
        "encodingFormat": _LANCE,
        "includes": f"{at}/data/*.lance",
    }
    if manifest is None:
        return [files]
    pinned = {
        "@type": "cr:FileObject",
        "@id": _MANIFEST,
        "name": _MANIFEST,
        "description": f"Manifest of version {release['version']} of the Lance table: it names every data file, and "
        "the rows deleted from it, of this release.",
        "contentUrl": f"{at}/{manifest['path']}",
        "contentSize": f"{manifest['size']} B",
        "encodingFormat": _LANCE,
        "sha256": manifest["sha256"],
    }
    return [pinned, files]


def _record_set(facts: Facts) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": _RECORDS,
        "name": _RECORDS,
        "description": f"{facts['contents']['rows']:,} records, one a row.",
        "key": {"@id": f"{_RECORDS}/record_id"},
        "field": [
            field
            for column in facts["table"]["columns"]
            if (field := _field(column, _content_type(facts, column["name"]))) is not None
        ],
    }


def _content_type(facts: Facts, column: str) -> str | None:
    """Croissant's type of a column that holds pictures, sound or films; None of other columns."""
    if column == _THUMBNAIL:
        return _OBJECTS["image"]
    held = [modality for modality in facts.get("media", {}) if modality in _OBJECTS]
    return _OBJECTS[held[0]] if column == _CONTENT and len(held) == 1 else None


def _field(column: Facts, content: str | None) -> dict[str, Any] | None:
    """One column; None where the vocabulary has no type for it."""
    name, arrow = column["name"], column["type"]
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{_RECORDS}/{name}",
        "name": name,
        "source": {"fileSet": {"@id": _FILES}, "extract": {"column": name}},
    }
    inner = _LIST.fullmatch(arrow)
    kind = content or data_type(inner[1] if inner else arrow)
    if kind is not None:
        return field | {"dataType": kind} | ({"repeated": True} if inner else {})
    parts = _parts(arrow, name)
    return field | {"subField": parts} if parts else None


def _parts(arrow: str, name: str) -> list[dict[str, Any]]:
    """The fields of a column that is a structure, such as the part of a film that a record is."""
    structure = _STRUCTURE.fullmatch(arrow)
    if structure is None:
        return []
    named = [part.partition(": ") for part in structure[1].split(", ")]
    typed = [(part, data_type(kind)) for part, _, kind in named]
    return [
        {
            "@type": "cr:Field",
            "@id": f"{_RECORDS}/{name}/{part}",
            "name": f"{name}/{part}",
            "dataType": kind,
            "source": {"fileSet": {"@id": _FILES}, "extract": {"column": name}, "transform": {"jsonPath": f"$.{part}"}},
        }
        for part, kind in typed
        if kind is not None
    ]


def data_type(arrow: str) -> str | None:
    """Croissant's type of an Arrow type; None where it has none.

    >>> data_type("large_string"), data_type("int64"), data_type("double"), data_type("timestamp[us, tz=UTC]")
    ('sc:Text', 'cr:Int64', 'cr:Float64', 'sc:DateTime')
    >>> data_type("struct<a: int64>") is None
    True
    """
    if _INTEGER.fullmatch(arrow):
        return "cr:" + arrow.replace("uint", "UInt").replace("int", "Int")
    if arrow.startswith("timestamp"):
        return "sc:DateTime"
    if arrow.startswith("date"):
        return "sc:Date"
    named = {"string": "sc:Text", "large_string": "sc:Text", "string_view": "sc:Text", "bool": "sc:Boolean",
             "halffloat": "cr:Float16", "float": "cr:Float32", "double": "cr:Float64"}  # fmt: skip
    return named.get(arrow)
