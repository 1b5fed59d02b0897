"""The demo corpus: the AWS API reference that botocore ships, one HTML page an operation.

It is real text that nobody here wrote, offline on every machine that has winnowry: botocore comes with boto3. Services
that published several versions of their API repeat most of their pages, so there is something to deduplicate; API
versions are dates over two decades, so there is something to partition by. Nothing of it is copied into this
repository.
"""

from __future__ import annotations

import gzip
import importlib.util
import logging
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import orjson

from winnowry.core.errors import NotFoundError
from winnowry.storage.objects import ObjectStore

LANDING = "landing/aws_docs"
"""Folder below the root; one object a service and API version: ``<year>/<service>-<api_version>.jsonl.gz``."""

_MODEL_FILE = "service-2.json.gz"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LandingSummary:
    """What was landed.

    Attributes:
        objects: landing objects of the corpus, written now or found unchanged.
        records: pages in them.
        bytes: size of the pages' HTML as UTF-8, before compression.
        written: objects written now; 0 when everything was there already.
        years: pages by year of the API version, sorted by year.
    """

    objects: int
    records: int
    bytes: int
    written: int
    years: Mapping[str, int]


@dataclass(frozen=True)
class ApiModel:
    """One service and API version of botocore's reference: where it lies."""

    service: str
    api_version: str
    path: Path

    @property
    def uri(self) -> str:
        """The landing object's URI, relative to the root."""
        return f"{LANDING}/{self.api_version[:4]}/{self.service}-{self.api_version}.jsonl.gz"


def land_demo_corpus(store: ObjectStore, *, versions_limit: int | None = None) -> LandingSummary:
    """Write the demo corpus below ``landing/aws_docs``; a second call writes nothing.

    Each object is gzipped JSONL, a page a line: ``{"id": "<service>/<api_version>/<Operation>", "service", "operation",
    "api_version": "YYYY-MM-DD", "html"}``. An object whose records are already there is left alone, so that it keeps
    its etag and no stage becomes stale.

    Args:
        store: where to; URIs resolve against its root.
        versions_limit: land only this many API versions, those of the services with the longest history first: a
            small corpus that still spans years and holds duplicates. All of them when None.

    Raises:
        NotFoundError: botocore or its API reference is not installed.
    """
    present = {store.resolve(info.uri) for info in store.list(f"{LANDING}/**/*.jsonl.gz")}
    records = total_bytes = written = 0
    years: Counter[str] = Counter()
    models = api_models()[:versions_limit]
    for model in models:
        pages = list(pages_of(model))
        lines = b"".join(orjson.dumps(page, option=orjson.OPT_APPEND_NEWLINE) for page in pages)
        if store.resolve(model.uri) not in present or not _holds(store.read(model.uri), lines):
            # mtime=0: the same pages are the same bytes, so the same etag wherever they land.
            store.write(model.uri, gzip.compress(lines, compresslevel=6, mtime=0))
            written += 1
        records += len(pages)
        total_bytes += sum(len(page["html"].encode()) for page in pages)
        years[model.api_version[:4]] += len(pages)
    summary = LandingSummary(
        objects=len(models), records=records, bytes=total_bytes, written=written, years=dict(sorted(years.items()))
    )
    _log.info("landed the demo corpus", extra={"objects": summary.objects, "rows_out": records, "written": written})
    return summary


def api_models() -> list[ApiModel]:
    """Every service and API version that the installed botocore describes, longest history first, then by name.

    Raises:
        NotFoundError: botocore or its API reference is not installed.
    """
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise NotFoundError("the demo corpus is botocore's API reference, and botocore is not installed: install boto3")
    data = Path(spec.submodule_search_locations[0]) / "data"
    models = [ApiModel(path.parts[-3], path.parts[-2], path) for path in data.glob(f"*/*/{_MODEL_FILE}")]
    if not models:
        raise NotFoundError(
            f"no API model ({data}/<service>/<version>/{_MODEL_FILE}) in the installed botocore; some distributions"
            " strip them: install boto3 from the package index"
        )
    versions = Counter(model.service for model in models)
    return sorted(models, key=lambda model: (-versions[model.service], model.service, model.api_version))


def pages_of(model: ApiModel) -> Iterator[dict[str, str]]:
    """The pages of one service and API version, one an operation, sorted by operation.

    Yields:
        Records with the keys ``id``, ``service``, ``operation``, ``api_version`` and ``html``.
    """
    description = orjson.loads(gzip.decompress(model.path.read_bytes()))
    service_name = description["metadata"].get("serviceFullName", model.service)
    shapes = description["shapes"]
    for name, operation in sorted(description["operations"].items()):
        yield {
            "id": f"{model.service}/{model.api_version}/{name}",
            "service": model.service,
            "operation": name,
            "api_version": model.api_version,
            "html": _page(service_name, name, operation, shapes),
        }


def _page(service_name: str, operation_name: str, operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> str:
    # No API version or date in the page: versions of an API that say the same thing are duplicates.
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">',
        f"<title>{escape(service_name)}: {escape(operation_name)}</title></head>\n<body><main>\n",
        f"<h1>{escape(operation_name)}</h1>\n",
        operation.get("documentation", ""),
        *_members("Request members", operation.get("input"), shapes),
        *_members("Response members", operation.get("output"), shapes),
        "\n</main></body>\n</html>\n",
    ]
    return "".join(parts)


def _members(title: str, reference: Mapping[str, str] | None, shapes: Mapping[str, Any]) -> Iterable[str]:
    members = shapes[reference["shape"]].get("members", {}) if reference else {}
    if not members:
        return
    yield f"\n<h2>{title}</h2>\n<dl>\n"
    for name, member in members.items():
        # A member without words of its own takes those of its type.
        words = member.get("documentation") or shapes[member["shape"]].get("documentation", "")
        yield f"<dt><code>{escape(name)}</code></dt><dd>{words}</dd>\n"
    yield "</dl>"


def _holds(landed: bytes, lines: bytes) -> bool:
    try:
        return gzip.decompress(landed) == lines
    except (OSError, EOFError, zlib.error):  # cut off or overwritten: to be written again
        return False
