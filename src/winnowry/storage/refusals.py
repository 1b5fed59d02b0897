"""Why a store refused: S3 error codes, and what the long texts of Lance's own storage client mean."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from winnowry.core.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    StorageError,
    StoreUnreachableError,
    TableFormatError,
)
from winnowry.storage.transient import BUSY, TRY_AGAIN

DENIED = frozenset(
    {
        "401", "403", "AccessDenied", "AllAccessDisabled", "AccountProblem", "ExpiredToken",
        "ExpiredTokenException", "Forbidden", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed",
        "SignatureDoesNotMatch", "TokenRefreshRequired", "Unauthorized",
    }
)  # fmt: skip
"""S3 error codes (and bare HTTP statuses) that mean: these credentials may not."""

CHECK_CREDENTIALS = "check the credentials and what they may do"
CHECK_BUCKET = "create it or correct the root"
CHECK_ENDPOINT = "check AWS_ENDPOINT_URL and the network"

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}

_FROM_STORAGE = "lanceerror(io)"
_ABSENT = re.compile(r"dataset at path .* was not found|ref not found", re.IGNORECASE)
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_REQUEST = re.compile(r"Error performing [A-Z]+ (\w+://[^\s?]+)")
_CAUSE = re.compile(r"(status code: \d{3}[^:<\n]*|HTTP error: [^,\n]*)")
_NO_ANSWER = (
    "error sending request",
    "connection",
    "timed out",
    "timeout",
    "dns error",
    "error decoding response body",
)


def what_to_do(code: str) -> str:
    """What to do about credentials that were refused with a code.

    >>> what_to_do("AccessDenied")
    'check the credentials and what they may do'
    """
    if code in _EXPIRED:
        return "the temporary credentials have expired: sign in again (for SSO: aws sso login), or set new ones"
    return CHECK_CREDENTIALS


@contextmanager
def panics_as_damage(where: str) -> Iterator[None]:
    """Turn a panic of Lance's, which is no :class:`Exception`, into an error that says what is damaged.

    Lance panics where a file does not hold what its format promises.

    Args:
        where: what was read.

    Raises:
        TableFormatError: Lance panicked.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise TableFormatError(
            f"{where}: a file of it is damaged: Lance gave up ({error}). `winnowry verify` names the file"
        ) from error


def is_storage_failure(error: BaseException) -> bool:
    """Whether an exception comes from reading or writing storage, as opposed to a wrong argument or bad data.

    Lance's object-store errors carry ``LanceError(IO)``, whatever their Python type is (measured with pylance 14.0.2:
    opening raises ``ValueError``, scanning ``ArrowInvalid`` or ``OSError``). A table, version or tag that is not there
    is no failure.
    """
    text = str(error)
    if _ABSENT.match(text):
        return False
    return isinstance(error, OSError) or (isinstance(error, ValueError) and _FROM_STORAGE in text.lower())


def storage_refusal(error: BaseException) -> StorageError | None:
    """The error that says why storage refused, or None when it did not: no such object, or another kind of mistake.

    Args:
        error: what Lance, Arrow or the operating system raised.

    Returns:
        ``AccessDeniedError``, ``BucketNotFoundError``, ``StoreUnreachableError`` or, where the store answered something
        else or the disk is full, ``StorageError``; the message names the address and what to do, and no secret.
    """
    if not is_storage_failure(error):
        return None
    text = str(error)
    request = _REQUEST.search(text)
    if request is None:
        return _no_credentials(text) or _of_the_disk(error)
    where = _without_password(request.group(1))
    status = _STATUS.search(text)
    code = answer.group(1) if (answer := _CODE.search(text)) else status.group(1) if status else ""
    if code == "NoSuchBucket":
        return BucketNotFoundError(f"{where}: there is no such bucket; {CHECK_BUCKET}")
    if code in DENIED or (status and status.group(1) in DENIED):
        return AccessDeniedError(f"{where}: access denied ({code}); {what_to_do(code)}")
    gone = _passing(where, code, status.group(1) if status else None, text)
    if gone is not None:
        return gone
    if code in ("301", "307", "PermanentRedirect", "AuthorizationHeaderMalformed"):
        return StorageError(f"{where}: the bucket is in another region ({code}); set AWS_REGION to the bucket's")
    if code in ("404", "NoSuchKey"):
        return None  # whether an object must be there only the caller knows
    reason = cause.group(1) if (cause := _CAUSE.search(text)) else text[:200]
    return StorageError(f"{where}: the store answered {code or reason}; if it persists, see the store's own log")


def _passing(where: str, code: str, status: str | None, text: str) -> StoreUnreachableError | None:
    """The error of a store that may answer when it is asked again."""
    if code in BUSY or status in BUSY:
        return StoreUnreachableError(f"{where}: the store did not get to it ({code}); {TRY_AGAIN}")
    if status is not None or not any(words in text.lower() for words in _NO_ANSWER):
        return None
    hint = CHECK_ENDPOINT
    if where.startswith("https:"):
        hint += "; if its certificate is not publicly trusted, name the authority in SSL_CERT_FILE"
    return StoreUnreachableError(f"{where}: nothing usable answers; {hint}, or wait: {TRY_AGAIN}")


def _no_credentials(text: str) -> StorageError | None:
    if "credentials" not in text.lower():
        return None
    return AccessDeniedError(
        "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE"
    )


def _of_the_disk(error: BaseException) -> StorageError | None:
    text = str(error).lower()
    number = getattr(error, "errno", None)
    if number == errno.ENOSPC or "no space left" in text:
        return StorageError(f"the disk is full: free some space ({error})")
    if number in (errno.EROFS, errno.EACCES, errno.EPERM) or "read-only" in text or "denied" in text:
        return AccessDeniedError(f"the root cannot be read or written: check its permissions ({error})")
    return None


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
