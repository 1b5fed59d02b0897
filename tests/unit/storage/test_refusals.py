"""Texts that pylance 14.0.2 raised against a SeaweedFS server, a closed port and a folder, shortened."""

from __future__ import annotations

import errno

import pyarrow as pa
import pytest

from winnowry.core.errors import AccessDeniedError, BucketNotFoundError, StorageError, StoreUnreachableError
from winnowry.storage.refusals import is_storage_failure, storage_refusal

_LIST = (
    "LanceError(IO): Generic S3 error: Error performing list request: Error performing GET "
    "http://127.0.0.1:50723/lake?list-type=2&prefix=t.lance%2F_versions%2F in 1.4ms - "
)
_READ = (
    "LanceError(IO): Generic N/A error: LanceError(IO): Generic S3 error: Error performing GET "
    "http://127.0.0.1:50723/lake/t.lance/data/01.lance in 475.7ms, after 3 retries, max_retries: 3, "
    "retry_timeout: 180s  - HTTP error: error sending request, object_reader.rs:335:56"
)


def answered(status: str, code: str, message: str = "") -> str:
    return (
        f"{_LIST}Server returned non-2xx status code: {status}: <?xml version='1.0'?>\n"
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>, object_store.rs:1576:42"
    )


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        (ValueError(answered("403 Forbidden", "SignatureDoesNotMatch")), AccessDeniedError, "SignatureDoesNotMatch"),
        (
            # These words once read as "there is no such table".
            ValueError(answered("403 Forbidden", "InvalidAccessKeyId", "The access key ID does not exist")),
            AccessDeniedError,
            "InvalidAccessKeyId",
        ),
        (
            ValueError(
                "LanceError(IO): The operation lacked the necessary privileges to complete for path t.lance: Error "
                "performing HEAD http://127.0.0.1:50723/lake/t.lance/_versions/1.manifest in 1.7ms - Server returned "
                "non-2xx status code: 403 Forbidden: , commit.rs:1100:25"
            ),
            AccessDeniedError,
            "403",
        ),
        (
            ValueError(answered("404 Not Found", "NoSuchBucket", "The specified bucket does not exist")),
            BucketNotFoundError,
            "http://127.0.0.1:50723/lake",
        ),
        (ValueError(_LIST + "HTTP error: error sending request, x.rs"), StoreUnreachableError, "AWS_ENDPOINT_URL"),
        (OSError(_READ), StoreUnreachableError, "http://127.0.0.1:50723/lake/t.lance/data/01.lance"),
        (pa.ArrowInvalid(f"External error: {_READ}"), StoreUnreachableError, "nothing usable answers"),
        (OSError(answered("503 Service Unavailable", "SlowDown")), StoreUnreachableError, "SlowDown"),
        (OSError(answered("500 Internal Server Error", "InternalError")), StoreUnreachableError, "same command again"),
        (OSError(answered("429 Too Many Requests", "Odd")), StoreUnreachableError, "Odd"),
        (OSError(answered("501 Not Implemented", "NotImplemented")), StorageError, "NotImplemented"),
        (OSError(answered("400 Bad Request", "ExpiredToken")), AccessDeniedError, "sign in again"),
        (ValueError(answered("301 Moved Permanently", "PermanentRedirect")), StorageError, "AWS_REGION"),
        (
            ValueError("LanceError(IO): Generic N/A error: LanceError(IO): Failed to get AWS credentials: Provider"),
            AccessDeniedError,
            "AWS_ACCESS_KEY_ID",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), StorageError, "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/lake"), AccessDeniedError, "/lake"),
    ],
)
def test_a_refusal_is_told_by_its_text(error: Exception, expected: type[StorageError], said: str) -> None:
    refusal = storage_refusal(error)
    assert type(refusal) is expected
    assert said in str(refusal)


def test_a_certificate_that_lance_does_not_trust_is_hinted_at() -> None:
    text = _LIST.replace("http://", "https://") + "HTTP error: error sending request, x.rs"
    assert "SSL_CERT_FILE" in str(storage_refusal(ValueError(text)))


def test_a_password_in_the_address_is_not_repeated() -> None:
    text = _READ.replace("127.0.0.1", "user:hidden@127.0.0.1")
    assert "hidden" not in str(storage_refusal(OSError(text)))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Dataset at path t.lance was not found: Not found: t.lance/_versions, commit.rs:653:26"),
        ValueError(
            "Dataset at path t.lance/_versions/9.manifest was not found: Error performing HEAD http://127.0.0.1:50723/"
            "lake/t.lance/_versions/9.manifest in 1.2ms - Server returned non-2xx status code: 404 Not Found: , x.rs"
        ),
        ValueError("Ref not found error: tag prod does not exist"),
        ValueError("Invalid user input: column nobody does not exist"),
        pa.ArrowInvalid("Could not convert 'x' with type str: tried to convert to int64"),
    ],
)
def test_what_is_not_there_or_asked_wrongly_is_no_failure_of_storage(error: Exception) -> None:
    assert storage_refusal(error) is None
    assert not is_storage_failure(error)


def test_an_object_that_is_gone_is_a_failure_only_to_those_who_need_it() -> None:
    gone = OSError(answered("404 Not Found", "NoSuchKey"))
    assert storage_refusal(gone) is None
    assert is_storage_failure(gone)
