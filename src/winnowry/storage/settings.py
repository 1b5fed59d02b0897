"""How to reach an object store: one settings object feeds boto3 and Lance."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from winnowry.core.errors import AccessDeniedError, UsageError

_FALSE = {"0", "false", "no", "off"}
_TRUE = {"1", "true", "yes", "on"}
_LANCE_LIMITS = {
    "connect_timeout": "5s",
    # Up to the first byte of the answer, so it also bounds the upload of one part (5 MiB, ten at a time).
    "read_timeout": "30s",
    "timeout": "120s",
    # Seconds that refused requests are repeated for; the number of them decides nothing. Lance makes rounds of these: 4
    # of a write, 6 of an opening, 15 of a read, so a store that refuses everything is given up after 77, 116 and 305 s.
    # Shorter than the wait for an answer: a silent request is not repeated within its round.
    "client_max_retries": "40",
    "client_retry_timeout": "20",
}
"""Limits of Lance's storage client; all five are honoured by pylance 14.0.2 (measured against a server that refuses
everything, one that resets every connection, and a silent one)."""


class StorageSettings(BaseModel):
    """Credentials, endpoint and addressing of an S3-compatible store; a local root needs none of it.

    Without keys and profile the usual AWS chain applies (environment, shared files, instance role). What is given wins
    over the environment of the process, for boto3 and Lance alike.

    Attributes:
        access_key_id: access key; needs ``secret_access_key`` too.
        secret_access_key: secret key; never shown.
        session_token: of temporary credentials; never shown.
        profile: name in the shared AWS configuration.
        endpoint: URL of the server, None for AWS itself.
        region: region; where nothing says otherwise, ``us-east-1`` for custom endpoints and the bucket's own for AWS.
        addressing: ``path`` (``endpoint/bucket/key``), ``virtual`` (``bucket.endpoint/key``); None: path for custom
            endpoints, else virtual.
        verify_tls: whether certificates are checked.
        ca_bundle: file of certificates to trust instead of the system's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    profile: str | None = None
    endpoint: str | None = None
    region: str | None = None
    addressing: Literal["path", "virtual"] | None = None
    verify_tls: bool = True
    ca_bundle: str | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> StorageSettings:
        """Read the standard AWS variables, ``WINNOWRY_S3_ADDRESSING`` and ``WINNOWRY_S3_VERIFY_TLS``.

        Args:
            env: variables to read; the environment of the process by default. Empty ones count as unset.

        Raises:
            UsageError: a variable has a value that is not allowed.
        """
        source = os.environ if env is None else env

        def value(*names: str) -> str | None:
            return next((source[name] for name in names if source.get(name)), None)

        addressing = value("WINNOWRY_S3_ADDRESSING")
        if addressing not in (None, "path", "virtual"):
            raise UsageError(f"WINNOWRY_S3_ADDRESSING={addressing}: expected path or virtual")
        verify = (value("WINNOWRY_S3_VERIFY_TLS") or "true").lower()
        if verify not in _FALSE | _TRUE:
            raise UsageError(f"WINNOWRY_S3_VERIFY_TLS={verify}: expected true or false")
        secret, token = value("AWS_SECRET_ACCESS_KEY"), value("AWS_SESSION_TOKEN")
        access = value("AWS_ACCESS_KEY_ID")
        if (access is None) != (secret is None):
            there, missing = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")[:: 1 if access else -1]
            raise UsageError(f"{there} is set but {missing} is not: set both, or neither to use a profile or a role")
        return cls(
            access_key_id=access,
            secret_access_key=SecretStr(secret) if secret else None,
            session_token=SecretStr(token) if token and access else None,
            profile=value("AWS_PROFILE"),
            # The last one is Lance's own: the store must not be another one for boto3.
            endpoint=value("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
            region=value("AWS_REGION", "AWS_DEFAULT_REGION"),
            addressing="path" if addressing == "path" else "virtual" if addressing == "virtual" else None,
            verify_tls=verify in _TRUE,
            ca_bundle=value("AWS_CA_BUNDLE"),
        )

    @property
    def path_style(self) -> bool:
        """Whether the bucket is part of the path rather than of the host name."""
        return self.addressing == "path" or (self.addressing is None and self.endpoint is not None)

    def lance_options(self, root: str) -> Mapping[str, str]:
        """Storage options of Lance for tables below a root.

        May contain secrets: pass it to Lance and nowhere else (no log, no table property, no metadata). Keys that are
        given are in it. All others may expire, so Lance gets none of them: it finds them by itself where boto3 does
        (profile with an assumed role, SSO or a process; web identity, container, instance) and refreshes them. Where it
        would find others, the options hold the present keys of the profile whenever they are read.

        Lance takes a certificate authority from the variable ``SSL_CERT_FILE`` only, so ``ca_bundle`` is put there
        unless it is set.

        Args:
            root: folder or ``s3://…``.

        Returns:
            Empty for a folder.

        Raises:
            AccessDeniedError: the profile does not exist or has no credentials.
        """
        if not root.startswith("s3://"):
            return {}
        # Every object and every part carries a SHA-256 that the store checks and can state later.
        options = {**_LANCE_LIMITS, "aws_checksum_algorithm": "sha256", **self._lance_address(root)}
        if not self.verify_tls:
            options["allow_invalid_certificates"] = "true"
        elif self.ca_bundle is not None and "allow_http" not in options:
            os.environ.setdefault("SSL_CERT_FILE", self.ca_bundle)
        if self.access_key_id and self.secret_access_key:
            token = self.session_token.get_secret_value() if self.session_token else ""
            return options | _lance_keys(self.access_key_id, self.secret_access_key.get_secret_value(), token)
        return ProfileOptions(options, self.profile) if self._lance_would_find_others() else options

    def completed(self) -> StorageSettings:
        """These settings, with region and endpoint from the shared AWS configuration where they are not given.

        Raises:
            AccessDeniedError: the profile does not exist.
        """
        if self.region and self.endpoint:
            return self
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        session = Session(profile=self.profile)
        try:
            profile = session.get_scoped_config()
            region = self.region or session.get_config_variable("region")
            endpoint = self.endpoint
            if endpoint is None and not session.get_config_variable("ignore_configured_endpoint_urls"):
                services = session.full_config.get("services", {}).get(profile.get("services"), {})
                endpoint = services.get("s3", {}).get("endpoint_url") or profile.get("endpoint_url")
        except BotoCoreError as error:
            raise AccessDeniedError(f"AWS profile {self.profile!r}: {error}") from error
        return self.model_copy(update={"region": region, "endpoint": endpoint})

    def _lance_address(self, root: str) -> dict[str, str]:
        settings = self.completed()
        options = {"virtual_hosted_style_request": str(not settings.path_style).lower()}
        if settings.endpoint is not None:
            options["aws_endpoint_url_s3"] = settings._lance_endpoint(root)  # "endpoint" loses against the environment
            if settings.endpoint.startswith("http://"):
                options["allow_http"] = "true"
        if settings.region or settings.endpoint:
            options["region"] = settings.region or "us-east-1"  # without one, Lance asks AWS where the bucket is
        return options

    def _lance_endpoint(self, root: str) -> str:
        if self.path_style:
            return str(self.endpoint)
        # boto3 puts the bucket before the host by itself, Lance takes the host as it is.
        scheme, separator, host = str(self.endpoint).partition("://")
        return f"{scheme}{separator}{urlsplit(root).netloc}.{host}"

    def _lance_would_find_others(self) -> bool:
        """Whether the keys of the profile are not those that the environment leads to."""
        if self.profile is None:
            return False
        return self.profile != os.environ.get("AWS_PROFILE") or bool(os.environ.get("AWS_ACCESS_KEY_ID"))


class ProfileOptions(Mapping[str, str]):
    """Options of Lance with the keys that a profile leads to at the time they are read; refreshed by botocore.

    Args:
        options: all but the keys.
        profile: name in the shared AWS configuration.

    Raises:
        AccessDeniedError: the profile does not exist or has no credentials.
    """

    def __init__(self, options: Mapping[str, str], profile: str | None) -> None:
        self._options, self._profile = dict(options), profile
        self._credentials = _credentials(profile)

    def __getstate__(self) -> dict[str, Any]:
        return {"options": self._options, "profile": self._profile}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["options"], state["profile"])  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"ProfileOptions({self._profile!r})"

    def __getitem__(self, name: str) -> str:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> dict[str, str]:
        from botocore.exceptions import BotoCoreError

        try:
            keys = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise AccessDeniedError(f"AWS profile {self._profile!r}: {error}") from error
        return self._options | _lance_keys(keys.access_key, keys.secret_key, keys.token or "")


def reading_options(lance_options: Mapping[str, str]) -> dict[str, str]:
    """What a person has to give to Lance to read a table; nothing secret, so it can be printed.

    Keys come from the environment that the person works in, and AWS itself needs no option.

    Args:
        lance_options: see :meth:`StorageSettings.lance_options`.

    >>> reading_options(StorageSettings(endpoint="http://127.0.0.1:9000").lance_options("s3://bucket/lake"))
    {'aws_endpoint_url_s3': 'http://127.0.0.1:9000', 'allow_http': 'true', 'region': 'us-east-1'}
    >>> reading_options(StorageSettings(region="eu-central-1").lance_options("s3://bucket/lake"))
    {}
    """
    endpoint = lance_options.get("aws_endpoint_url_s3")
    if endpoint is None:
        return {}
    options = {"aws_endpoint_url_s3": without_password(endpoint)}
    names = ("allow_http", "allow_invalid_certificates", "region")
    options |= {name: lance_options[name] for name in names if name in lance_options}
    virtual = lance_options["virtual_hosted_style_request"] == "true"
    return options | ({"virtual_hosted_style_request": "true"} if virtual else {})


def without_password(endpoint: str) -> str:
    """An endpoint as it may be shown.

    >>> without_password("https://user:secret@store.example:9000")
    'https://store.example:9000'
    """
    scheme, separator, rest = endpoint.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _lance_keys(access: str, secret: str, token: str) -> dict[str, str]:
    keys = {"access_key_id": access, "secret_access_key": secret}
    if token or os.environ.get("AWS_SESSION_TOKEN"):
        keys["session_token"] = token  # else Lance sends the environment's, which belongs to other keys
    return keys


def _credentials(profile: str | None) -> Any:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        credentials = boto3.Session(profile_name=profile).get_credentials()
    except BotoCoreError as error:
        raise AccessDeniedError(f"AWS profile {profile!r}: {error}") from error
    if credentials is None:
        raise AccessDeniedError(f"AWS profile {profile!r}: it leads to no credentials")
    return credentials
