from __future__ import annotations

import os

import pytest
from pydantic import SecretStr

from winnowry.core.errors import UsageError
from winnowry.storage.settings import StorageSettings

ENV = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "very-secret",
    "AWS_SESSION_TOKEN": "token-secret",
    "AWS_ENDPOINT_URL": "http://all:1",
    "AWS_ENDPOINT_URL_S3": "http://s3:2",
    "AWS_DEFAULT_REGION": "eu-central-1",
}

LIMITS = {"connect_timeout", "read_timeout", "timeout", "client_max_retries", "client_retry_timeout"}


def test_the_environment_is_read_and_the_s3_endpoint_wins() -> None:
    settings = StorageSettings.from_env(ENV)
    assert settings.endpoint == "http://s3:2"
    assert settings.region == "eu-central-1"
    assert settings.secret_access_key == SecretStr("very-secret")


def test_secrets_are_in_no_representation() -> None:
    settings = StorageSettings.from_env(ENV)
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "very-secret" not in shown
        assert "token-secret" not in shown


def test_lance_gets_the_same_endpoint_and_keys() -> None:
    options = StorageSettings.from_env(ENV).lance_options("s3://bucket/lake")
    assert {name: value for name, value in options.items() if name not in LIMITS} == {
        "aws_checksum_algorithm": "sha256",
        "aws_endpoint_url_s3": "http://s3:2",
        "allow_http": "true",
        "access_key_id": "key",
        "secret_access_key": "very-secret",
        "session_token": "token-secret",
        "region": "eu-central-1",
        "virtual_hosted_style_request": "false",
    }


def test_lance_is_told_when_to_give_up() -> None:
    assert StorageSettings.from_env(ENV).lance_options("s3://bucket/lake").keys() >= LIMITS


@pytest.mark.parametrize(
    ("endpoint", "present", "expected"),
    [
        ("https://s3:2", None, "/own/ca.pem"),
        (None, None, "/own/ca.pem"),  # AWS itself, behind a proxy that reads along
        ("https://s3:2", "/other/ca.pem", "/other/ca.pem"),
        ("http://s3:2", None, None),
    ],
)
def test_lance_trusts_the_given_authority(
    endpoint: str | None, present: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lance reads this variable and has no option for it (measured against a server with a certificate of its own).
    monkeypatch.setenv("SSL_CERT_FILE", present or "")
    if present is None:
        monkeypatch.delenv("SSL_CERT_FILE")
    settings = StorageSettings(endpoint=endpoint, ca_bundle="/own/ca.pem")
    settings.lance_options("s3://bucket/lake")
    assert os.environ.get("SSL_CERT_FILE") == expected
    settings.model_copy(update={"verify_tls": False}).lance_options("s3://bucket/lake")
    assert os.environ.get("SSL_CERT_FILE") == expected


def test_a_folder_needs_no_options() -> None:
    assert StorageSettings.from_env(ENV).lance_options("/data/lake") == {}


def test_aws_itself_is_addressed_by_host_name_and_custom_endpoints_by_path() -> None:
    assert not StorageSettings().path_style
    assert StorageSettings(endpoint="http://s3:2").path_style
    assert not StorageSettings.from_env({**ENV, "WINNOWRY_S3_ADDRESSING": "virtual"}).path_style


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"WINNOWRY_S3_ADDRESSING": "pth"}, "WINNOWRY_S3_ADDRESSING"),
        ({"WINNOWRY_S3_VERIFY_TLS": "maybe"}, "WINNOWRY_S3_VERIFY_TLS"),
        ({"AWS_ACCESS_KEY_ID": "a"}, "AWS_SECRET_ACCESS_KEY"),
        ({"AWS_SECRET_ACCESS_KEY": "a"}, "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_wrong_variable_is_named(env: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        StorageSettings.from_env(env)
