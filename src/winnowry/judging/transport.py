"""Sends requests through the official client of OpenAI-compatible endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winnowry.core.errors import UsageError
from winnowry.judging.client import NotReached, Reply, ReplyLost
from winnowry.judging.spec import Judge

_NO_KEY = "none"  # the client wants one, and would else send OPENAI_API_KEY to whatever endpoint
_NEVER_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")


class OpenAITransport:
    """The official client, with its own attempts off; replies are taken as they came.

    It would read a page of HTML as text, and an error of status 200 as an answer without choices.

    Args:
        judge: where, and with which key.

    Raises:
        UsageError: the extra is not installed, or endpoint or key is wrong.
    """

    def __init__(self, judge: Judge) -> None:
        try:
            import openai
        except ImportError:
            raise UsageError(
                "judges are asked through the package openai; install it with: pip install 'winnowry[judge]'"
            ) from None
        self._openai = openai
        self._client: Any = openai.OpenAI(
            api_key=judge.key() or _NO_KEY, base_url=judge.url(), max_retries=0, timeout=judge.timeout_s
        )

    def send(self, body: Mapping[str, Any], timeout_s: float) -> Reply:
        """See :class:`~winnowry.judging.client.Transport`."""
        openai, rest = self._openai, dict(body)
        model, messages = rest.pop("model"), rest.pop("messages")
        try:
            raw = self._client.chat.completions.with_raw_response.create(
                model=model, messages=messages, extra_body=rest, timeout=timeout_s
            )
            response = raw.http_response
        except openai.APIStatusError as error:
            response = error.response
        except openai.APITimeoutError as error:
            if _never_sent(error):
                raise NotReached(f"no connection in time: {error.__cause__ or error}") from None
            raise ReplyLost(f"no reply within {timeout_s:g} s", timed_out=True) from None
        except openai.APIConnectionError as error:
            if _never_sent(error):
                raise NotReached(f"no connection: {error.__cause__ or error}") from None
            raise ReplyLost(f"the connection ended before the reply did: {error.__cause__ or error}") from None
        return Reply(
            int(response.status_code),
            {name.lower(): value for name, value in response.headers.items()},
            bytes(response.content),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _never_sent(error: BaseException) -> bool:
    return type(error.__cause__).__name__ in _NEVER_SENT
