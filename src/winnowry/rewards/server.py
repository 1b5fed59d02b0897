"""Rewards over HTTP, as OpenRLHF asks its ``remote_rm_url``: on this machine unless told otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from winnowry.core.errors import UsageError
from winnowry.rewards.function import RubricReward

_MOST_BYTES = 256 << 20


def serve(reward: RubricReward, *, host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """A server that answers POST with ``{"rewards": […], "scores": […], "extra_logs": {…}}``.

    It is asked with ``query`` (prompts with their answers), ``prompts`` and ``labels``: the criteria of each prompt as
    JSON. What it returns is bound and listens; call ``serve_forever``, and ``shutdown`` from another thread.

    Args:
        reward: what is asked.
        host: to listen at. There is no authentication: others than this machine should not reach it.
        port: 0 is a free one; see ``server_address``.
    """

    class _Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                length = int(self.headers.get("Content-Length") or 0)
                if not 0 < length <= _MOST_BYTES:
                    raise UsageError(f"{length} bytes: expected 1 to {_MOST_BYTES}")
                status, answer = 200, answer_of(reward, json.loads(self.rfile.read(length)))
            except (UsageError, ValueError, TypeError) as error:
                status, answer = 400, {"error": str(error)}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: answers of models are not for logs."""

    return ThreadingHTTPServer((host, port), _Handler)


def answer_of(reward: RubricReward, asked: Any) -> dict[str, Any]:
    """What is answered to a request.

    Raises:
        UsageError: it is none, or an answer has no reward.
    """
    queries = asked.get("query") if isinstance(asked, Mapping) else None
    if not isinstance(queries, list):
        raise UsageError("expected an object with `query`, `prompts` and `labels`")
    prompts = _of_length(asked, "prompts", len(queries))
    labels = _of_length(asked, "labels", len(queries))
    answers = [
        query.removeprefix(prompt) if isinstance(prompt, str) else query
        for query, prompt in zip(queries, prompts, strict=True)
    ]
    table = reward.table(answers, labels)
    rewards = table["reward"].to_pylist()
    without = [number for number, value in enumerate(rewards) if value is None]
    if without:
        why = table["criteria_error"][without[0]].as_py() or "too few criteria were judged, or there are none"
        raise UsageError(f"{len(without)} of {len(rewards)} answers have no reward, the first is {without[0]}: {why}")
    vetoed = [float(veto is not None) for veto in table["vetoed_by"].to_pylist()]
    return {"rewards": rewards, "scores": rewards, "extra_logs": {"vetoed": vetoed}}


def _of_length(asked: Mapping[str, Any], name: str, n: int) -> Sequence[Any]:
    values = asked.get(name)
    if values is None:
        return [None] * n
    if not isinstance(values, list) or len(values) != n:
        raise UsageError(f"`{name}`: expected a list of {n}, as many as `query` has")
    return values
