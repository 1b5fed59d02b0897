"""``text.url_filter``: reject pages by where they come from."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Self

import numpy as np
import orjson
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.core.errors import ContractError
from winnowry.operators.base import Operator, Rule
from winnowry.operators.buffers import TEXT, as_text
from winnowry.operators.text.url_lists import (
    UrlIndex,
    UrlList,
    candidate_keys,
    entry_key,
    hashed,
    host_and_path,
    index_of,
)

NO_CATEGORY = "none"
BLOCKED = "blocked"


class UrlFilter(Operator):
    """Find the URL of a record in lists of domains and URLs, and keep the categories that are wanted.

    The URL is a field of the record (``raw.meta``). A listed domain stands for all names below it; a listed URL
    (``host/path``) for all paths below it. Scheme, port, query, ``www.`` and case make no difference, names
    in other scripts are compared in their ASCII form (IDNA). No list comes with winnowry: the UT1 lists of the
    University of Toulouse, which FineWeb uses, are folders of the form that ``lists`` reads.

    Writes ``url_host`` (string: host of the URL; null where the record has no URL with one) and ``url_category``
    (string: the category of the first list that has it, ``blocked`` for the domains of ``blocked``, which come
    first, ``none`` when nothing lists it or ``allowed`` does; null without a host), with ``as`` in place of ``url``.
    What the lists contain is part of the fingerprint: a changed file makes partitions stale.

    A file that is missing when the recipe is loaded is a mistake of the recipe; one that is replaced afterwards, or
    differs on a worker, stops the run with a ``ContractError``.

    Source: RefinedWeb (Penedo et al. 2023, section 3.1) and FineWeb (Penedo et al. 2024): URL filter with UT1 lists.
    """

    op: Literal["text.url_filter"] = "text.url_filter"
    field: str = Field(default="url", min_length=1, description="Field of the record that holds the URL.")
    lists: tuple[UrlList, ...] = Field(
        default=(), description="Categories with their lists; of a URL in several lists the first counts."
    )
    blocked: tuple[str, ...] = Field(default=(), description="Domains or URLs of the category `blocked`.")
    allowed: tuple[str, ...] = Field(default=(), description="Domains or URLs that are in no category, whatever lists.")
    keep: tuple[str, ...] = Field(
        default=(NO_CATEGORY,),
        min_length=1,
        description="Categories to keep; `none` is that of URLs that nothing lists. "
        "Source: RefinedWeb (Penedo et al. 2023, section 3.1), which drops what is listed.",
    )
    missing: Literal["keep", "reject"] = Field(default="keep", description="What happens to a record without a URL.")
    contents: dict[str, str] = Field(
        default_factory=dict,
        description="SHA-256 of the files of each list, by its category: those not given are computed when the recipe "
        "is loaded; files with another one stop the run.",
    )

    @model_validator(mode="after")
    def _read_contents(self) -> Self:
        names = [url_list.category for url_list in self.lists]
        if len(set(names)) < len(names) or {NO_CATEGORY, BLOCKED} & set(names):
            raise ValueError(
                f"lists need categories of their own, other than {NO_CATEGORY} and {BLOCKED}; got: {', '.join(names)}"
            )
        unknown = sorted(set(self.contents) - set(names))
        if unknown:
            raise ValueError(f"`contents` names no list by {', '.join(map(repr, unknown))}")
        wrong = [entry for entry in (*self.blocked, *self.allowed) if entry_key(entry) is None]
        if wrong:
            raise ValueError(f"no domain or URL: {', '.join(map(repr, wrong))}")
        # A specification that was stored holds all of them, and is still one when the files have changed or gone.
        contents = {
            url_list.category: self.contents.get(url_list.category) or url_list.content_sha256()
            for url_list in self.lists
        }
        self.__dict__["contents"] = contents  # the model is frozen from here on
        return self

    def _name(self, column_name: str) -> str:
        return f"{self.as_ or 'url'}_{column_name}"

    def reads(self) -> pa.Schema:
        """``meta``."""
        return pa.schema([pa.field("meta", TEXT)])

    def writes(self) -> pa.Schema:
        """``url_host`` and ``url_category``, strings."""
        return pa.schema([pa.field(self._name("host"), pa.string()), pa.field(self._name("category"), pa.string())])

    def rules(self) -> tuple[Rule, ...]:
        """The wanted categories."""
        category = self._name("category")
        return (Rule(name="keep", column=category, comparison="in", threshold=self.keep, null=self.missing),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Look n URLs up."""
        index, names = self._index()
        hosts: list[str | None] = []
        keys: list[str] = []
        first = [0]  # of the keys of each row
        for meta in as_text(batch.column("meta")).to_pylist():
            address = host_and_path(url) if (url := _url(meta, self.field)) else None
            hosts.append(address[0] if address else None)
            keys += candidate_keys(*address) if address else ()
            first.append(len(keys))
        category = index.categories_of(hashed(keys))
        nothing = np.int32(len(names) - 1)
        category[category < 0] = nothing
        starts = np.array(first[:-1], dtype=np.int64)
        with_host = np.flatnonzero(np.diff(first) > 0)
        best = np.full(len(hosts), nothing, dtype=np.int32)
        if len(with_host):
            best[with_host] = np.minimum.reduceat(category, starts[with_host])
        categories = [names[number] if host is not None else None for number, host in zip(best, hosts, strict=True)]
        return pa.record_batch([pa.array(hosts, pa.string()), pa.array(categories, pa.string())], schema=self.writes())

    def _index(self) -> tuple[UrlIndex, list[str]]:
        contents = tuple(self.contents[url_list.category] for url_list in self.lists)
        index = _load(self.lists, contents, self.blocked, self.allowed)
        return index, [NO_CATEGORY, BLOCKED, *(url_list.category for url_list in self.lists), NO_CATEGORY]


@lru_cache(maxsize=4)
def _load(
    lists: tuple[UrlList, ...], contents: tuple[str, ...], blocked: tuple[str, ...], allowed: tuple[str, ...]
) -> UrlIndex:
    """Index of all lists; category 0 is what is allowed, 1 what is blocked."""
    for url_list, content in zip(lists, contents, strict=True):
        try:
            now = url_list.content_sha256()
        except (OSError, ValueError) as error:
            raise ContractError(f"text.url_filter: {error}") from error
        if now != content:
            raise ContractError(
                f"URL list {url_list.category!r}: {url_list.path} is not what the recipe was loaded with (SHA-256 "
                f"{now}, expected {content}). Load the recipe again (in Dagster: reload the code location), or bring "
                "this machine's copy up to date."
            )
    own = ([key for entry in entries if (key := entry_key(entry))] for entries in (allowed, blocked))
    return index_of([*own, *(url_list.entries() for url_list in lists)])


def _url(meta: str | None, field: str) -> str | None:
    if not meta:
        return None
    try:
        data = orjson.loads(meta)
    except orjson.JSONDecodeError:
        return None
    url = data.get(field) if isinstance(data, dict) else None
    return url if isinstance(url, str) else None
