"""How to reach an object store: one settings object feeds boto3 and Lance."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal
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
    "client_max_retries": "3",
    # Lance makes up to 6 rounds of these: with no retry after a silent one a hung store is given up in 3 minutes.
    "client_retry_timeout": "30",
}
"""Limits of Lance's storage client; all five are honoured by pylance 14.0.2 (measured against a silent server)."""


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

    def lance_options(self, root: str) -> dict[str, str]:
        """Storage options of Lance for tables below a root.

        Contains secrets: pass it to Lance and nowhere else (no log, no table property, no metadata). Lance takes a
        certificate authority from the variable ``SSL_CERT_FILE`` only, so ``ca_bundle`` is put there unless it is set.

        Args:
            root: folder or ``s3://…``.

        Returns:
            Empty for a folder.

        Raises:
            AccessDeniedError: the profile does not exist or has no credentials.
        """
        if not root.startswith("s3://"):
            return {}
        settings = self.completed()
        # Every object and every part carries a SHA-256 that the store checks and can state later.
        options = {**_LANCE_LIMITS, "aws_checksum_algorithm": "sha256"}
        options["virtual_hosted_style_request"] = str(not settings.path_style).lower()
        if settings.endpoint is not None:
            options["aws_endpoint_url_s3"] = settings._lance_endpoint(root)  # "endpoint" loses against the environment
            if settings.endpoint.startswith("http://"):
                options["allow_http"] = "true"
        if settings.region or settings.endpoint:
            options["region"] = settings.region or "us-east-1"  # without one, Lance asks AWS where the bucket is
        if not self.verify_tls:
            options["allow_invalid_certificates"] = "true"
        elif self.ca_bundle is not None and not (settings.endpoint or "").startswith("http://"):
            os.environ.setdefault("SSL_CERT_FILE", self.ca_bundle)
        access, secret, token = self._keys()
        if access and secret:
            options["access_key_id"] = access
            options["secret_access_key"] = secret
        if token or (access and os.environ.get("AWS_SESSION_TOKEN")):
            options["session_token"] = token or ""  # else Lance sends the environment's, which belongs to other keys
        return options

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

    def _lance_endpoint(self, root: str) -> str:
        if self.path_style:
            return str(self.endpoint)
        # boto3 puts the bucket before the host by itself, Lance takes the host as it is.
        scheme, separator, host = str(self.endpoint).partition("://")
        return f"{scheme}{separator}{urlsplit(root).netloc}.{host}"

    def _keys(self) -> tuple[str | None, str | None, str | None]:
        if self.access_key_id and self.secret_access_key:
            token = self.session_token.get_secret_value() if self.session_token else None
            return self.access_key_id, self.secret_access_key.get_secret_value(), token
        if self.profile is None:
            return None, None, None
        # Lance does not know profiles: hand it the keys the profile leads to.
        import boto3
        from botocore.exceptions import BotoCoreError

        try:
            credentials = boto3.Session(profile_name=self.profile).get_credentials()
        except BotoCoreError as error:
            raise AccessDeniedError(f"AWS profile {self.profile!r}: {error}") from error
        if credentials is None:
            raise AccessDeniedError(f"AWS profile {self.profile!r}: it leads to no credentials")
        frozen = credentials.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token
