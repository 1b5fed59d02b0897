"""Failures of a store that pass by themselves, and how long boto3 goes on asking through them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

from winnowry.core.retry import Retry

BUSY = frozenset(
    {
        "429", "500", "502", "503", "504", "BandwidthLimitExceeded", "InternalError", "PriorRequestNotComplete",
        "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "RequestTimeout",
        "RequestTimeoutException", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException",
        "TooManyRequestsException",
    }
)  # fmt: skip
"""S3 error codes and HTTP statuses that mean: not now."""

TRY_AGAIN = "what was promoted stays; when the store answers again, give the same command again"

_WAITS = Retry(attempts=0, first_wait_s=0.2, longest_wait_s=8.0)
_DEADLINE_FROM = "winnowry_asked_at"


@dataclass(frozen=True)
class Patience:
    """For how long one request is repeated, whatever number of attempts that makes.

    It stands in for botocore's own retries: those count attempts, of which a minute of refusals takes more or fewer by
    chance, and they draw on a purse that all threads of a client share, which one busy minute empties.

    Attributes:
        busy_s: seconds that refusals (``503 SlowDown``, ``500``) and broken connections are borne.
        absent_s: seconds that it is borne that nobody answers at all.
    """

    busy_s: float
    absent_s: float

    def attach(self, client: Any) -> None:
        """Let a client of boto3 that repeats nothing by itself repeat its requests so."""
        client.meta.events.register("before-call.s3", self._begin)
        client.meta.events.register("needs-retry.s3", self._wait)

    def _begin(self, params: dict[str, Any], **_: object) -> None:
        params["context"][_DEADLINE_FROM] = time.monotonic()

    def _wait(
        self,
        attempts: int,
        response: Any,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        **_: object,
    ) -> float | None:
        """Seconds to wait before the next attempt; None where there is to be none."""
        borne = self._borne_s(response, caught_exception)
        wait = _WAITS.longest_after(attempts - 1) * random.uniform(0.5, 1.0)
        passed = time.monotonic() - request_dict["context"][_DEADLINE_FROM]
        return wait if passed + wait < borne else None

    def _borne_s(self, response: Any, error: Exception | None) -> float:
        from botocore.exceptions import (
            ConnectionError,
            ConnectTimeoutError,
            EndpointConnectionError,
            HTTPClientError,
            ReadTimeoutError,
        )

        if error is None:
            status, parsed = response
            code = str(parsed.get("Error", {}).get("Code", ""))
            return self.busy_s if code in BUSY or str(status.status_code) in BUSY else 0.0
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return 0.0
        nobody = EndpointConnectionError | ConnectTimeoutError | ReadTimeoutError
        if isinstance(error, nobody) or "timed out" in str(error).lower():
            return self.absent_s
        return self.busy_s if isinstance(error, ConnectionError | HTTPClientError) else 0.0
