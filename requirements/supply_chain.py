"""What winnowry's core is made of, from its lock: a bill of materials, and the licences of all packages.

``python requirements/supply_chain.py sbom > winnowry.cdx.json`` writes CycloneDX 1.6, the same bytes for the same lock;
``… licences > docs/reference/licences.md`` the list, from the metadata of the packages that are installed.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "core.txt"

COPYLEFT = re.compile(r"\b(A?GPL|LGPL|GNU|EUPL|SSPL|CDDL|EPL|OSL|CC-BY-(SA|NC)|MPL|Mozilla|Commons Clause|BUSL)", re.I)
"""Licences that ask something of code that is shipped beside theirs, or forbid a use."""

FILE_BY_FILE = {"certifi", "orjson", "tqdm"}
"""Under MPL-2.0 or partly so: it covers their own files, which winnowry uses as they are, and no others."""

ELSEWHERE = {
    "colorama": "BSD-3-Clause",
    "fasttext-predict-v2": "MIT",
    "psutil": "BSD-3-Clause",
    "pyreadline3": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
}
"""Packages of the lock that only other systems or versions of Python install, with the licence they name."""


@dataclass(frozen=True)
class Locked:
    """A package of the lock.

    Attributes:
        marker: where it is installed; empty: everywhere.
        hashes: SHA-256 of each file that may be installed.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def locked(text: str) -> list[Locked]:
    """The packages of a lock, in its order."""
    joined = text.replace("\\\n", " ")
    line = re.compile(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)(?: ; (.*?))?\s+((?:--hash=sha256:\w+\s*)+)$")
    return [
        Locked(name, version, (marker or "").strip(), tuple(re.findall(r"sha256:(\w+)", hashes)))
        for name, version, marker, hashes in line.findall(joined)
    ]


def licence_of(name: str) -> str | None:
    """The licence that a package names, in the most exact form that it does; None where it is not installed."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ELSEWHERE.get(name)
    return _named(about)


def _named(about: PackageMetadata) -> str | None:
    fields = about.get_all("License-Expression") or []
    classifiers = [value.rpartition(" :: ")[2] for value in about.get_all("Classifier") or [] if "License ::" in value]
    first = (about.get_all("License") or [""])[0].strip().partition("\n")[0]
    short = [first] if 0 < len(first) < 40 else []  # else it is the text of the licence
    return next(iter(fields), None) or " AND ".join(classifiers) or next(iter(short), None)


def bill(text: str, project: dict[str, Any]) -> dict[str, Any]:
    """The bill of materials of a lock, as CycloneDX 1.6."""
    components = [
        {
            "type": "library",
            "bom-ref": f"{package.name}=={package.version}",
            "name": package.name,
            "version": package.version,
            "purl": f"pkg:pypi/{package.name.lower().replace('_', '-')}@{package.version}",
            "hashes": [{"alg": "SHA-256", "content": value} for value in package.hashes],
            **({"licenses": [{"license": {"name": licence}}]} if (licence := licence_of(package.name)) else {}),
            **({"properties": [{"name": "marker", "value": package.marker}]} if package.marker else {}),
        }
        for package in locked(text)
    ]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, own + text)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [component["bom-ref"] for component in components]}],
    }


def licence_page(text: str) -> str:
    """The list of licences, as Markdown."""
    names = sorted({package.name for package in locked(text)})
    rows = [f"| {name} | {licence_of(name)} |" for name in names]
    about = (
        "# Licences of the core\n\n"
        "What `pip install winnowry` brings, and the licence that each package names in its metadata. None of them is\n"
        "copyleft, except that " + ", ".join(sorted(FILE_BY_FILE)) + " are under MPL-2.0, wholly or in part, which\n"
        "covers their own files. Written by `make licences`; a test refuses a package that says otherwise.\n\n"
        "| package | licence |\n| --- | --- |\n"
    )
    return about + "\n".join(rows) + "\n"


def main() -> None:
    """Write what the first argument names to standard output."""
    text = LOCK.read_text(encoding="utf-8")
    if sys.argv[1:] == ["sbom"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        sys.stdout.write(json.dumps(bill(text, project), indent=1) + "\n")
    elif sys.argv[1:] == ["licences"]:
        sys.stdout.write(licence_page(text))
    else:
        sys.exit("expected: sbom or licences")


if __name__ == "__main__":
    main()
