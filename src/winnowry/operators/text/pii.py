"""``text.pii``: find personal data; mask it, replace it by a keyed hash, reject its records, or only count it."""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.base import Operator, Rule
from winnowry.operators.buffers import TEXT, as_text, column, utf8_buffers

Kind = Literal["email", "ip", "phone", "iban", "card", "cn_id", "cn_mobile"]
Action = Literal["mask", "hash", "reject", "count"]

_ALL: tuple[Kind, ...] = ("email", "ip", "phone", "iban", "card", "cn_id", "cn_mobile")
_FINEWEB_EMAILS = ("email@example.com", "firstname.lastname@example.org")
_SHORTEST_KEY = 16
_NO_DIGITS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


def _normalised(kind: str, value: str) -> str:
    """One spelling for a value, so that its hash is the same wherever and however it is written."""
    if kind == "email":
        return value.lower()
    if kind == "ip":
        return ipaddress.ip_address(value).compressed
    if kind in ("iban", "card", "cn_id"):
        return re.sub("[ -]", "", value).upper()
    digits = re.sub("[^0-9]", "", value.replace("(0)", ""))
    if kind == "cn_mobile":
        return digits[-11:]
    north_american = len(digits) == 10 and digits[0] != "0" and not value.startswith("+")
    return f"1{digits}" if north_american else digits


def keyed_hash(key: bytes, kind: str, value: str) -> str:
    """Sixteen letters a to p: the first 64 bits of HMAC-SHA-256 over the kind and the normalised value.

    Letters, because digits could look like personal data again.

    Source: RFC 2104.
    """
    message = f"{kind}\0{_normalised(kind, value)}".encode()
    return hmac.digest(key, message, "sha256")[:8].hex().translate(_NO_DIGITS)


class Pii(Operator):
    """Find e-mail addresses, public IP addresses, telephone numbers, IBANs, card numbers and Chinese identity numbers.

    One pass over the text, in linear time; check digits, dates and numbering plans are verified, and version numbers,
    amounts, parts of addresses and identifiers are left alone: precision before recall. What is found, what is not,
    and how often it is wrong: ``docs/reference/pii.md``. Kinds never overlap; a number that could be of several kinds
    is an IBAN, identity number, card, mobile number, IP address or telephone number, in this order, whichever of them
    are in ``kinds``.

    ``mask`` writes ``<EMAIL>``, ``<IP>``, ``<PHONE>``, ``<IBAN>``, ``<CARD>``, ``<CN_ID>`` or ``<CN_MOBILE>`` in its
    place, ``hash`` e.g. ``<EMAIL:kfmbpcaojdheiglb>``, the same for the same value in every record. What is written in
    place of a find is never found itself.

    Writes ``text`` (or the column named by ``as``; null stays null) and for each of ``kinds`` the number of finds as
    ``pii_KIND_n`` (or ``AS_KIND_n``), int64, null for a null text.

    Raises:
        UsageError: an action is ``hash`` and the environment variable does not hold a key of at least 16 bytes.

    Sources: ISO/IEC 7812-1 (Luhn), ISO 13616 (IBAN), GB 11643-1999, ITU-T E.164, IANA special-purpose address
    registries; FineWeb (Penedo et al. 2024) for e-mail and public IP addresses.
    """

    VERSION: ClassVar[int] = 2

    op: Literal["text.pii"] = "text.pii"
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = Field(
        default=_ALL, description="What to look for. Source: FineWeb (Penedo et al. 2024) removes email and ip."
    )
    action: Action = Field(
        default="mask",
        description="What to do with all kinds that have no action of their own: `mask`, `hash`, `reject` the record, "
        "or `count`. Source: FineWeb (Penedo et al. 2024) masks.",
    )
    email: Action | None = Field(default=None, description="Action for e-mail addresses; `action` unless set.")
    ip: Action | None = Field(default=None, description="Action for public IP addresses; `action` unless set.")
    phone: Action | None = Field(default=None, description="Action for telephone numbers; `action` unless set.")
    iban: Action | None = Field(default=None, description="Action for IBANs (ISO 13616); `action` unless set.")
    card: Action | None = Field(default=None, description="Action for card numbers; `action` unless set.")
    cn_id: Action | None = Field(
        default=None, description="Action for Chinese identity numbers (GB 11643-1999); `action` unless set."
    )
    cn_mobile: Action | None = Field(
        default=None, description="Action for mobile numbers of mainland China; `action` unless set."
    )
    replacement: Literal["tag", "fineweb"] = Field(
        default="tag",
        description="What `mask` writes: `tag`, or for email and ip the replacement addresses of FineWeb (datatrove, "
        "PIIFormatter), in turn within a record, and tags for the others.",
    )
    hash_key: str = Field(
        default="WINNOWRY_PII_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Environment variable that holds the secret for `hash` (at least 16 bytes); give a new secret a "
        "new name, so that tables with the old hashes become stale. Source: HMAC, RFC 2104.",
    )

    @model_validator(mode="after")
    def _actions_of_kinds(self) -> Self:
        if len(set(self.kinds)) != len(self.kinds):
            raise ValueError("kinds: each may be listed once")
        for kind in _ALL:
            if kind not in self.kinds and self._own_action(kind) is not None:
                raise ValueError(f"{kind}: has an action, but `kinds` does not list it")
        return self

    def _own_action(self, kind: Kind) -> Action | None:
        own: Action | None = getattr(self, kind)
        return own

    def action_of(self, kind: Kind) -> Action:
        """What is done with a kind."""
        return self._own_action(kind) or self.action

    def _count_name(self, kind: Kind) -> str:
        return f"{self.as_ or 'pii'}_{kind}_n"

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        """``text``, replaced, and ``pii_KIND_n`` (int64) for each of ``kinds``."""
        counts = [pa.field(self._count_name(kind), pa.int64()) for kind in self.kinds]
        return pa.schema([pa.field(self.as_ or "text", TEXT), *counts])

    def rules(self) -> tuple[Rule, ...]:
        """None of the kinds whose action is ``reject``; a null text holds none."""
        return tuple(
            Rule(name=kind, column=self._count_name(kind), comparison="<=", threshold=0, null="keep")
            for kind in self.kinds
            if self.action_of(kind) == "reject"
        )

    def _key(self) -> bytes:
        key = os.environ.get(self.hash_key, "").encode()
        if len(key) < _SHORTEST_KEY:
            raise UsageError(
                f"text.pii: `hash` needs a secret of at least {_SHORTEST_KEY} bytes in the environment variable "
                f"{self.hash_key}; found {len(key)} bytes. "
                "Set it where stages run, e.g. to what `openssl rand -hex 32` gives"
            )
        return key

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Find, count and replace in n texts."""
        from winnowry.operators.text.kernels.pii_scan import scan, splice

        actions = {kind: self.action_of(kind) for kind in self.kinds}
        key = self._key() if "hash" in actions.values() else b""
        text = as_text(batch.column("text"))
        buffers = utf8_buffers(text)
        starts, lengths, kind_of, firsts = scan(buffers.offsets, buffers.data, buffers.valid)
        rows = np.repeat(np.arange(len(buffers)), np.diff(firsts))
        counts = [
            column(np.bincount(rows[kind_of == _ALL.index(kind)], minlength=len(buffers)), buffers.valid)
            for kind in self.kinds
        ]
        rewritten = np.isin(kind_of, [_ALL.index(kind) for kind, act in actions.items() if act in ("mask", "hash")])
        if rewritten.any():
            starts, lengths, kind_of = starts[rewritten], lengths[rewritten], kind_of[rewritten]
            rows = rows[rewritten]
            firsts = np.searchsorted(rows, np.arange(len(buffers) + 1))
            which, replacements = self._replacements(buffers.data, starts, lengths, kind_of, rows, key)
            new = utf8_buffers(pa.array(replacements, TEXT))
            offsets, data = splice(
                *(buffers.offsets, buffers.data, buffers.valid, starts, lengths, firsts, which, new.offsets, new.data)
            )
            nulls = text.is_valid().buffers()[1] if text.null_count else None
            text = pa.LargeStringArray.from_buffers(
                len(buffers), pa.py_buffer(offsets), pa.py_buffer(data), null_bitmap=nulls
            )
        return pa.record_batch([text, *counts], schema=self.writes())

    def _replacements(
        self,
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        kind_of: npt.NDArray[np.int8],
        rows: npt.NDArray[np.int64],
        key: bytes,
    ) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Which of the returned texts replaces each of m finds."""
        from winnowry.operators.text.kernels.pii_addresses import FINEWEB_IPS

        texts: list[str] = []
        which = np.zeros(len(starts), dtype=np.int64)
        for kind in self.kinds:
            mine = np.flatnonzero(kind_of == _ALL.index(kind))
            if not mine.size:
                continue
            which[mine] = len(texts)
            if self.action_of(kind) == "hash":
                values = [bytes(data[s : s + n]).decode() for s, n in zip(starts[mine], lengths[mine], strict=True)]
                which[mine] += np.arange(mine.size)
                texts += [f"<{kind.upper()}:{keyed_hash(key, kind, value)}>" for value in values]
            elif self.replacement == "fineweb" and kind in ("email", "ip"):
                fixed = _FINEWEB_EMAILS if kind == "email" else FINEWEB_IPS
                of_row = rows[mine]
                which[mine] += (np.arange(mine.size) - np.searchsorted(of_row, of_row)) % len(fixed)
                texts += fixed
            else:
                texts.append(f"<{kind.upper()}>")
        return which, texts
