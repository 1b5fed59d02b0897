from __future__ import annotations

import socket
import time

import pytest
from pydantic import SecretStr

from tests.s3_server import S3Server
from winnowry.core.errors import AccessDeniedError, BucketNotFoundError, StoreUnreachableError, UsageError
from winnowry.storage import s3
from winnowry.storage.open import open_store
from winnowry.storage.s3 import S3Store
from winnowry.storage.settings import StorageSettings
from winnowry.storage.transient import Patience

pytestmark = pytest.mark.s3


def test_a_bucket_that_does_not_exist_is_named(s3_server: S3Server) -> None:
    store = S3Store("s3://no-such-bucket/lake", s3_server.settings)
    for call in (
        store.answer,
        store.check,
        lambda: list(store.list("**")),
        lambda: store.read("x"),
        lambda: store.exists("x"),
    ):
        with pytest.raises(BucketNotFoundError, match="no-such-bucket") as caught:
            call()
        assert s3_server.url in str(caught.value)


@pytest.mark.parametrize("wrong", ["secret_access_key", "access_key_id"])
def test_wrong_credentials_are_access_denied_and_no_secret_is_shown(s3_server: S3Server, wrong: str) -> None:
    bucket = s3_server.make_bucket()
    value = SecretStr("not-the-secret") if wrong == "secret_access_key" else "nobody"
    store = S3Store(f"s3://{bucket}/lake", s3_server.settings.model_copy(update={wrong: value}))
    for call in (store.answer, store.check, lambda: list(store.list("**")), lambda: store.write("x", b"1")):
        with pytest.raises(AccessDeniedError, match=bucket) as caught:
            call()
        assert "not-the-secret" not in str(caught.value)
        assert s3_server.secret not in str(caught.value)


def test_an_endpoint_where_nothing_listens_is_unreachable_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PATIENCE", Patience(busy_s=1, absent_s=1))
    monkeypatch.setattr(s3, "_ANSWER_PATIENCE", Patience(busy_s=1, absent_s=1))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound but not listening: refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        settings = StorageSettings(endpoint=url, access_key_id="a", secret_access_key=SecretStr("hidden-secret"))
        for call in (S3Store("s3://bucket", settings).check, lambda: open_store("s3://bucket", settings)):
            with pytest.raises(StoreUnreachableError, match=url) as caught:
                call()
            assert "hidden-secret" not in str(caught.value)


def test_an_endpoint_that_takes_connections_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_ANSWER_TIMEOUT_S", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(128)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = StorageSettings(endpoint=url, access_key_id="a", secret_access_key=SecretStr("b"))
        started = time.monotonic()
        with pytest.raises(StoreUnreachableError, match=url):
            open_store("s3://bucket/lake", settings)
        assert time.monotonic() - started < 10  # two attempts of a second, and a pause


def test_an_endpoint_that_is_no_url_is_a_usage_error() -> None:
    settings = StorageSettings(endpoint="localhost:9000", access_key_id="a", secret_access_key=SecretStr("b"))
    with pytest.raises(UsageError, match="localhost:9000"):
        open_store("s3://bucket", settings)


def test_an_absolute_uri_of_another_bucket_is_not_asked_about_before_it_is_used(s3_server: S3Server) -> None:
    bucket = s3_server.make_bucket()
    store = open_store(f"s3://{bucket}/lake", s3_server.settings)
    assert store.resolve("s3://elsewhere/x") == "s3://elsewhere/x"
    with pytest.raises(BucketNotFoundError, match="elsewhere"):
        store.read("s3://elsewhere/x")
