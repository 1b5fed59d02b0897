"""The web server answers its own pages and programs, and refuses what pages of others send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.unit.runs.asgi import HOST, ask
from winnowry.runs.guard import Guard, served_hosts
from winnowry.runs.webserver import guarded, is_loopback

OWN = ("Origin", f"http://{HOST}")
EVIL = ("Origin", "http://evil.example")
JSON = ("Content-Type", "application/json")
CROSS, SAME_SITE = ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site")
LINK = (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"))
IMAGE = (("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image"))
FRAME = (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe"))
QUERY = b'{"query":"{version}"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Dagster's own application behind the guard, with an empty workspace and a lake of one page."""
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import EmptyWorkspaceTarget

    root = tmp_path_factory.mktemp("lake")
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        yield guarded("127.0.0.1", 3000, str(root))(context).create_asgi_app()


async def _anything(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"passed on"})


def behind(token: str | None = None, also: Sequence[str] = ()) -> Guard:
    return Guard(_anything, served_hosts("127.0.0.1", 3000, also), token)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (HOST, 200),
        ("localhost:3000", 200),
        ("LocalHost:3000", 200),
        ("[::1]:3000", 200),
        ("evil.example", 421),
        ("evil.example:3000", 421),
        ("localhost", 421),
        ("localhost:3001", 421),
        ("localhost.:3000", 421),
        ("localhost.evil.example:3000", 421),
        ("127.0.0.1:3000@evil.example", 421),
        ("", 421),
        (None, 421),
    ],
)
def test_only_names_of_this_machine_with_the_port_are_served(host: str | None, status: int) -> None:
    assert ask(behind(), "/assets", host=host).status == status
    assert ask(behind(), "/graphql", host=host, websocket=True).status == (101 if status == 200 else 403)


def test_two_names_at_once_are_none() -> None:
    assert ask(behind(), "/assets", headers=[("Host", "evil.example")]).status == 421


def test_a_name_that_is_allowed_is_served_with_and_without_the_port() -> None:
    for host, origin in (("lake.example", "https://lake.example"), ("Lake.Example:3000", "http://lake.example:3000")):
        assert ask(behind(also=["Lake.example"]), "/assets", host=host, headers=[("Origin", origin)]).status == 200
    assert ask(behind(also=["lake.example:8080"]), "/assets", host="lake.example").status == 421
    assert ask(behind(also=["lake.example:8080"]), "/assets", host="lake.example:8080").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 200),
        ([OWN], 200),
        ([("Origin", f"HTTP://{HOST}")], 200),
        ([("Origin", "http://localhost:3000")], 200),
        ([EVIL], 403),
        ([("Origin", "null")], 403),
        ([("Origin", "http://127.0.0.1:3001")], 403),
        ([("Origin", "http://127.0.0.1")], 403),
        ([("Origin", "")], 403),
        ([OWN, EVIL], 403),
        ([("Sec-Fetch-Site", "same-origin")], 200),
        ([("Sec-Fetch-Site", "none"), *LINK], 200),
        ([CROSS], 403),
        ([CROSS, *IMAGE], 403),
        ([CROSS, *FRAME], 403),
        ([SAME_SITE, *IMAGE], 403),
        ([("Sec-Fetch-Site", "nonsense")], 403),
    ],
)
def test_pages_of_other_origins_are_refused_by_http_and_by_websocket(
    headers: list[tuple[str, str]], status: int
) -> None:
    assert ask(behind(), "/assets", headers=headers).status == status
    assert ask(behind(), "/assets", headers=headers, method="HEAD").status == status
    assert ask(behind(), "/assets", headers=headers, method="OPTIONS").status == status
    assert ask(behind(), "/graphql", headers=[JSON, *headers], method="POST", body=QUERY).status == status
    assert ask(behind(), "/graphql", headers=headers, websocket=True).status == (101 if status == 200 else 403)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/assets/small/published", 200),
        ("/lake/small/releases/v1/page.html", 200),
        ("/graphql", 403),
        ("/graphql/", 403),
        ("/notebook?path=/x.ipynb", 403),
        ("/dagit/notebook", 403),
        ("/logs/run/compute_logs/a/err", 403),
        ("/download_debug/run", 403),
    ],
)
def test_a_link_from_elsewhere_leads_to_pages_and_to_nothing_that_answers_with_data(path: str, status: int) -> None:
    for site in (CROSS, SAME_SITE):
        assert ask(behind(), path, headers=[site, *LINK]).status == status
        assert ask(behind(), path, headers=[site, *LINK, JSON], method="POST").status == 403


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/plain", 415),
        ("text/plain; application/json", 415),
        ("application/graphql", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=application/json", 415),
        ("application/json-patch+json", 415),
        ("", 415),
        (None, 415),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/graphql",
        "/graphql/",
        "/report_asset_materialization/a",
        "/report_asset_check/a",
        "/report_asset_observation/a",
    ],
)
def test_only_json_is_posted_because_a_form_of_any_page_sends_the_rest(
    path: str, kind: str | None, status: int
) -> None:
    headers = [] if kind is None else [("Content-Type", kind)]
    assert ask(behind(), path, method="POST", headers=headers).status == status


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "//graphql", "/GraphQL"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_a_query_in_an_address_is_refused(path: str, method: str) -> None:
    assert ask(behind(), f"{path}?query=mutation{{setNuxSeen}}", method=method).status == 405
    assert ask(behind(), path, method=method).status == 200


@pytest.mark.parametrize("path", ["/logs/../../etc/passwd", "/logs/%2e%2e/x/out", "/logs/a%5c..%5cb/out", "/a/%00"])
def test_a_path_that_climbs_is_refused(path: str) -> None:
    assert ask(behind(), path).status == 400


def test_no_other_site_may_frame_or_embed_what_is_answered() -> None:
    for answer in (ask(behind(), "/assets"), ask(behind(), "/assets", headers=[EVIL])):
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_token_is_asked_for_and_an_address_with_it_makes_it_a_cookie() -> None:
    app = behind("let-me-in")
    assert ask(app, "/assets").status == 401
    assert ask(app, "/graphql", websocket=True).status == 403
    for wrong in ("/assets?token=guess", "/assets?token=", "/assets?token=%ff"):
        assert ask(app, wrong).status == 401
    signed = ask(app, "/assets?token=let-me-in")
    assert signed.status == 303
    assert signed.headers["location"] == "/assets"
    cookie = signed.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    held = ("Cookie", "other=1; " + cookie.split(";")[0])
    assert ask(app, "/assets", headers=[held]).status == 200
    assert ask(app, "/graphql", headers=[held], websocket=True).status == 101
    assert ask(app, "/assets", headers=[("Authorization", "Bearer let-me-in")]).status == 200
    assert ask(app, "/assets", headers=[("Authorization", "Bearer let-me-out")]).status == 401
    assert ask(app, "/assets", headers=[held, EVIL]).status == 403


def test_signing_in_leads_to_no_other_server() -> None:
    assert ask(behind("let-me-in"), "//evil.example/?token=let-me-in").headers["location"] == "/evil.example/"


def test_the_loopback_interface_is_told_from_others() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1", "0.0.0.0", "::", "10.0.0.1")] == [
        *[True] * 3,
        *[False] * 3,
    ]


def test_dagsters_own_server_answers_its_pages_and_programs_behind_the_guard(server: Any) -> None:
    answer = ask(server, "/graphql", method="POST", headers=[OWN, JSON], body=QUERY)
    assert answer.status == 200
    assert b'"version"' in answer.body
    assert ask(server, "/graphql", method="POST", headers=[JSON], body=QUERY).status == 200
    assert ask(server, "/server_info").status == 200
    assert ask(server, "/graphql", websocket=True, headers=[OWN]).status == 101


@pytest.mark.parametrize("path", ["/graphql", "/report_asset_materialization/a", "/report_asset_check/a"])
def test_dagsters_own_server_hears_nothing_from_pages_of_others(server: Any, path: str) -> None:
    assert ask(server, path, method="POST", headers=[EVIL, JSON], body=QUERY).status == 403
    assert ask(server, path, method="POST", headers=[JSON], host="evil.example", body=QUERY).status == 421
    assert ask(server, path, method="POST", headers=[("Content-Type", "text/plain")], body=QUERY).status == 415
    assert ask(server, f"{path}?query={{version}}", headers=[CROSS, *IMAGE]).status == 403
    assert ask(server, path, websocket=True, headers=[EVIL]).status == 403


def test_a_page_of_the_lake_is_served_beside_the_ui(server: Any) -> None:
    page = Path(server.state.lake_root) / "small" / "releases" / "v1" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>release</h1>", encoding="utf-8")
    answer = ask(server, "/lake/small/releases/v1/page.html")
    assert answer.status == 200
    assert answer.body == b"<h1>release</h1>"
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert ask(server, "/lake/small/releases/v2/page.html").status == 404
