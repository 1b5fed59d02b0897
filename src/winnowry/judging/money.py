"""What calls cost, and a budget that holds whatever comes back."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from winnowry.judging.spec import Judge, Prices

_BYTES_PER_TOKEN = 3
"""Of an estimate: English has about 4 characters in a token, Chinese one character of 3 bytes."""

_UNSEEN_TOKENS = 512
"""What an endpoint may add to a request: a chat template, a system prompt of its own, the form of the answer."""


class Usage(NamedTuple):
    """Tokens of calls.

    Attributes:
        prompt: of requests, cached ones included.
        cached: those of them that the endpoint had read before.
        completion: of answers, thinking included.
        estimated: whether the endpoint did not say it, so that it is reckoned from lengths.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    estimated: bool = False

    def plus(self, other: Usage) -> Usage:
        """Of both together."""
        return Usage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.estimated or other.estimated,
        )

    def shares(self, n: int) -> list[Usage]:
        """Parts for n judgements that were asked together; they sum to the whole.

        >>> [share.prompt for share in Usage(prompt=8).shares(3)]
        [3, 3, 2]
        """
        return [
            Usage(
                _share(self.prompt, n, at), _share(self.cached, n, at), _share(self.completion, n, at), self.estimated
            )
            for at in range(n)
        ]


def _share(total: int, n: int, at: int) -> int:
    return total // n + (at < total % n)


NO_USAGE = Usage()


def usage_of(reply: Mapping[str, Any], asked_bytes: int, answered_bytes: int) -> Usage:
    """Tokens of a reply; what it does not say, or cannot be, is estimated.

    Args:
        reply: the body, with ``usage`` or without.
        asked_bytes: UTF-8 length of what was asked.
        answered_bytes: of what was answered, thinking included.

    >>> usage_of({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, 30, 6)
    Usage(prompt=10, cached=0, completion=2, estimated=True)
    """
    usage = reply.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    estimated = not prompt or completion is None or (completion == 0 and answered_bytes > 0)
    if not prompt:
        prompt = math.ceil(asked_bytes / _BYTES_PER_TOKEN)
    if completion is None or (completion == 0 and answered_bytes > 0):
        completion = math.ceil(answered_bytes / _BYTES_PER_TOKEN)
    return Usage(prompt, min(_cached(usage), prompt), completion, estimated)


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
            return math.ceil(value)
    return None


def _cached(usage: Mapping[str, Any]) -> int:
    """Cached tokens are a part of those of the request."""
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    inner = _count(details, "cached_tokens") if isinstance(details, Mapping) else None
    return inner or _count(usage, "prompt_cache_hit_tokens", "cached_tokens") or 0


def cost(usage: Usage, prices: Prices | None) -> float:
    """What tokens cost, in USD.

    >>> cost(Usage(1000, 800, 20), Prices(**{"in": 10, "out": 30})), cost(Usage(1000, 0, 20), None)
    (0.0106, 0.0)
    """
    if prices is None:
        return 0.0
    cached = prices.in_ if prices.cached is None else prices.cached
    fresh = usage.prompt - usage.cached
    return (fresh * prices.in_ + usage.cached * cached + usage.completion * prices.out) / 1e6


@dataclass
class Spent:
    """What earlier runs have spent.

    Attributes:
        usd: of replies.
        unsettled_usd: what calls may cost at most that no reply has come back of.
        calls: made.
    """

    usd: float = 0.0
    unsettled_usd: float = 0.0
    calls: int = 0


class Budget:
    """Money and calls of a judge in a corpus. A call is reserved by the most that it may cost, before it is made.

    The most is one token a byte of the request, 512 tokens that an endpoint may add, and all that an answer may have;
    a reply that costs more raises it for all that follow. Calls whose reply is lost count with it for ever.

    Args:
        judge: its prices and limits.
        spent: by earlier runs.
    """

    def __init__(self, judge: Judge, spent: Spent) -> None:
        self._judge, self._lock = judge, threading.Lock()
        self.spent = spent
        self._reserved = 0.0
        self._factor = 1.0
        self.proven = False
        """Whether a reply has come back: until then nobody knows what a call costs here."""

    def most(self, asked_bytes: int) -> float:
        """What a call may cost at most, in USD."""
        usage = Usage(asked_bytes + _UNSEEN_TOKENS, 0, self._judge.max_tokens)
        prices = self._judge.usd_per_m
        dearest = prices if prices is None else prices.model_copy(update={"in_": max(prices.in_, prices.cached or 0.0)})
        return cost(usage, dearest) * self._factor

    def reserve(self, asked_bytes: int) -> float | None:
        """Set aside what a call may cost; None where the budget does not hold it."""
        with self._lock:
            most, judge = self.most(asked_bytes), self._judge
            if judge.max_calls is not None and self.spent.calls >= judge.max_calls:
                return None
            committed = self.spent.usd + self.spent.unsettled_usd + self._reserved
            if judge.max_usd is not None and committed + most > judge.max_usd:
                return None
            self._reserved += most
            self.spent.calls += 1
            return most

    def settle(self, reserved: float, paid: float | None) -> None:
        """A call came back.

        Args:
            reserved: for it.
            paid: what it costs; None: its reply was lost, and it may cost all of it.
        """
        with self._lock:
            self._reserved -= reserved
            if paid is None:
                self.spent.unsettled_usd += reserved
                return
            self.spent.usd += paid
            self.proven = True
            if reserved and paid > reserved:
                self._factor *= paid / reserved

    def never_made(self, reserved: float) -> None:
        """The endpoint was not reached."""
        with self._lock:
            self._reserved -= reserved
            self.spent.calls -= 1

    @property
    def exhausted(self) -> str:
        """Why nothing more is asked, in words."""
        judge, spent = self._judge, self.spent
        if judge.max_calls is not None and spent.calls >= judge.max_calls:
            return f"max_calls {judge.max_calls:,} is reached"
        unsettled = f" and up to ${spent.unsettled_usd:.4f} of calls without a reply" if spent.unsettled_usd else ""
        return f"max_usd {judge.max_usd or 0:g} does not hold another call: ${spent.usd:.4f}{unsettled} is spent"
