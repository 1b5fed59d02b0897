"""What the commands ask of a store is what the policies allow; TLS and host names of buckets work for both clients."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import pyarrow as pa
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tests.s3_proxy import Asked, S3Proxy
from tests.s3_server import DOMAIN, S3Server
from tests.tiny_project import make_tiny_project
from tests.unit.runs.asgi import ask
from winnowry.cli.main import main
from winnowry.core.errors import StoreUnreachableError
from winnowry.lakehouse.table import Table
from winnowry.lakehouse.workspace import Workspace
from winnowry.runs.lake_pages import PREFIX, lake_page
from winnowry.storage.named import storage_named
from winnowry.storage.open import open_store
from winnowry.storage.settings import StorageSettings

pytestmark = pytest.mark.s3

ROLES = ("reader", "writer", "maintainer")
IN_NEED = {
    "s3:AbortMultipartUpload": "both clients end an upload in parts that failed",
    "s3:GetObjectRetention": "an erasure says until when a locked object stays",
}
"""What no request of an undisturbed walk shows."""


def policy(repository: Path, role: str) -> dict[str, set[str]]:
    """Actions by resource."""
    document = json.loads((repository / "deploy" / "policies" / f"{role}.json").read_text(encoding="utf-8"))
    assert document["Version"] == "2012-10-17"
    allowed: dict[str, set[str]] = {}
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        for resource in statement["Resource"]:
            allowed.setdefault(resource, set()).update(statement["Action"])
    return allowed


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_names_single_actions_on_one_bucket_and_one_prefix(repository: Path, role: str) -> None:
    allowed = policy(repository, role)
    assert allowed.keys() == {"arn:aws:s3:::winnowry", "arn:aws:s3:::winnowry/lake/*"}
    assert not [action for actions in allowed.values() for action in actions if "*" in action]


def test_each_role_may_do_what_the_one_before_it_may(repository: Path) -> None:
    for less, more in pairwise(ROLES):
        smaller, larger = policy(repository, less), policy(repository, more)
        assert all(smaller[resource] <= larger[resource] for resource in smaller)


OF_A_BUCKET = {"versions": "s3:ListBucketVersions"}
OF_AN_OBJECT = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "POST": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}


def action(asked: Asked) -> str:
    """The action of a request, by the service's own table of actions; the resource is the bucket where it names no key.

    Source: "Actions, resources, and condition keys for Amazon S3", Service Authorization Reference.
    """
    query = parse_qs(asked.query, keep_blank_values=True)
    key = unquote(asked.path).strip("/").partition("/")[2]
    if not key:
        if "delete" in query:  # many at once; with versions, as the only caller does
            return "s3:DeleteObjectVersion"
        assert asked.method in ("GET", "HEAD"), asked
        assert asked.method == "HEAD" or {"versions", "list-type"} & query.keys(), asked
        return next((name for part, name in OF_A_BUCKET.items() if part in query), "s3:ListBucket")
    if "retention" in query:
        return "s3:GetObjectRetention"
    if asked.method == "DELETE" and "uploadId" in query:
        return "s3:AbortMultipartUpload"
    return OF_AN_OBJECT[asked.method]


def actions(seen: Iterable[Asked]) -> set[str]:
    return {action(asked) for asked in seen}


@pytest.mark.slow
def test_the_policies_name_exactly_what_the_commands_of_each_role_ask_for(
    repository: Path, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = make_tiny_project(tmp_path)
    bucket = s3_server.make_bucket()
    root = f"s3://{bucket}/lake"
    client = s3_server.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    landing = folder / "lake/landing/mail/2026.jsonl"
    client.put_object(Bucket=bucket, Key="lake/landing/mail/2026.jsonl", Body=landing.read_bytes())
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WINNOWRY_HOME", str(tmp_path / "home"))
    seen: dict[str, list[Asked]] = {role: [] for role in ROLES}
    with S3Proxy(s3_server) as proxy:
        for name, value in proxy.environment.items():
            monkeypatch.setenv(name, value)

        def command(role: str, *arguments: str) -> str:
            with proxy.recording() as asked:
                status = main([*arguments, "--root", root])
            seen[role] += asked
            printed = capsys.readouterr()
            assert status == 0, (arguments, printed)
            return str(printed.out)

        command("writer", "run", "tickets.yaml", "--without-dagster")
        command("writer", "doctor")
        query = "select record_id from tickets.published order by record_id limit 1"
        record = json.loads(command("reader", "sql", query, "--json"))[0]["record_id"]
        command("reader", "plan", "tickets.yaml")
        command("reader", "explain", record)
        command("reader", "release", "list", "tickets")
        command("reader", "release", "show", "tickets", "v1")
        command("reader", "column", "list", "tickets")
        command("reader", "export", "tickets", "--format", "jsonl", "--out", "out")
        command("reader", "verify", "tickets")
        command("reader", "verify", "tickets", "--deep")
        command("writer", "release", "rollback", "tickets", "v1")
        command("writer", "maintain")
        Path("ids.txt").write_text(f"{record}\n", encoding="utf-8")
        command("maintainer", "erase", "tickets", "--ids", "ids.txt", "--yes")
    assert {asked.client for asked in seen["writer"]} == {"boto3", "lance"}
    walked: set[str] = set()
    for role in ROLES:
        walked |= actions(seen[role])
        allowed = set[str]().union(*policy(repository, role).values())
        assert walked == allowed - IN_NEED.keys(), role
    for asked in (asked for every in seen.values() for asked in every):
        key = unquote(asked.path).strip("/").partition("/")[2]
        assert not key or key.startswith("lake/"), asked


# --------------------------------------------------------------------------------------------------------------- TLS


def make_certificates(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate authority of one's own, and what a server on this machine shows."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def certificate(name: str, key: Any, issuer: Any, signing: Any, *extensions: Any) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(signing, hashes.SHA256())

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    basics = x509.BasicConstraints(ca=True, path_length=None)
    authority = certificate("own authority", authority_key, None, authority_key, basics)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = certificate(
        "own server", key, authority.subject, authority_key, x509.BasicConstraints(ca=False, path_length=None), here
    )
    pem = serialization.Encoding.PEM
    bundle, chain = folder / "authority.pem", folder / "server.pem"
    bundle.write_bytes(authority.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + leaf.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return bundle, context


def use_both(root: str, settings: StorageSettings) -> None:
    ws = Workspace.open(root, settings)
    ws.store.write("note", b"1")
    table = ws.lake.table("c", "t")
    table.create(pa.schema([("record_id", pa.string())]))
    assert table.dataset().count_rows() == 0
    assert {info.uri for info in ws.store.list("**")} >= {f"{root}/note"}


def test_a_store_with_a_certificate_of_ones_own_is_reached_by_both_clients_and_only_with_its_authority(
    s3_server: S3Server, s3_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, context = make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.delenv("SSL_CERT_FILE")  # winnowry sets it
    with S3Proxy(s3_server, tls=context) as proxy:
        with pytest.raises(StoreUnreachableError, match="SSLError"):
            open_store(s3_root, proxy.settings)
        options = {**proxy.settings.lance_options(s3_root), "client_max_retries": "0"}
        table = Table(f"{s3_root}/t.lance", "t", options)
        with pytest.raises(StoreUnreachableError, match="SSL_CERT_FILE"), storage_named("t", s3_root):
            table.dataset_or_none()
        assert proxy.asked == []
        use_both(s3_root, proxy.settings.model_copy(update={"ca_bundle": str(bundle)}))
        assert {asked.client for asked in proxy.asked} == {"boto3", "lance"}


def test_a_bucket_is_called_by_its_host_name_where_that_is_asked_for(
    s3_server: S3Server, s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3_root.removeprefix("s3://").partition("/")[0]
    with S3Proxy(s3_server) as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):  # so that a name which nobody knows leads to the server
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        address = {"endpoint": f"http://{DOMAIN}", "addressing": "virtual"}
        use_both(s3_root, s3_server.settings.model_copy(update=address))
        assert {(asked.client, asked.headers["host"]) for asked in proxy.asked} == {
            ("boto3", f"{bucket}.{DOMAIN}"),
            ("lance", f"{bucket}.{DOMAIN}"),
        }


# ----------------------------------------------------------------------------------------------- pages of the lake


def test_a_page_of_a_lake_in_a_bucket_is_served_in_a_sandbox_and_nothing_else_of_it(
    s3_server: S3Server, s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    root = f"{s3_root}/lab #1"
    store = open_store(root)
    store.write("small/releases/v1/page.html", b"<h1>release</h1>")
    store.write("small/releases/v1/facts.json", b"{}")
    app = Starlette(routes=[Route(f"{PREFIX}{{path:path}}", lake_page)])
    app.state.lake_root = root
    answer = ask(app, "/lake/small/releases/v1/page.html")
    assert (answer.status, answer.body) == (200, b"<h1>release</h1>")
    policies = answer.headers["content-security-policy"].split("; ")
    assert "sandbox allow-scripts allow-popups" in policies  # of no origin: without allow-same-origin
    assert "default-src 'none'" in policies
    assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("small/releases/v1/facts.json", "small/releases/v2/page.html", "small/releases/%2e%2e/x/page.html"):
        assert ask(app, f"/lake/{path}").status == 404, path
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert ask(app, "/lake/small/releases/v1/page.html").status == 404
