"""A real browser: a page of somebody else drives nothing, and what the UI links to opens, with the lake in a bucket."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.s3_server import S3Server
from tests.tiny_project import RECIPE, make_tiny_project

pytestmark = [pytest.mark.slow, pytest.mark.s3, pytest.mark.timeout(1200)]

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
    # The browser's own protection off: only the server's is looked at.
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
)  # fmt: skip
_ATTACK = """<body><script>
const target = TARGET, mutation = 'mutation{setNuxSeen}', tried = {};
const by_image = () => new Promise(done => {
  const image = new Image(); image.onload = image.onerror = () => done('sent');
  image.src = target + '/graphql?query=' + encodeURIComponent(mutation); });
const by_form = () => new Promise(done => {
  const frame = document.createElement('iframe'); frame.name = 'f'; frame.onload = () => done('sent');
  document.body.append(frame); const form = document.createElement('form'); form.method = 'POST'; form.target = 'f';
  form.enctype = 'text/plain'; form.action = target + '/graphql?query=' + encodeURIComponent(mutation);
  document.body.append(form); form.submit(); setTimeout(() => done('sent'), 3000); });
const by_plain_fetch = () => fetch(target + '/graphql', {method: 'POST', mode: 'no-cors',
  body: JSON.stringify({query: mutation})}).then(() => 'sent', () => 'sent');
const by_fetch = () => fetch(target + '/graphql', {method: 'POST', headers: {'content-type': 'application/json'},
  body: JSON.stringify({query: '{version}'})}).then(answer => answer.text(), () => 'blocked');
const by_socket = () => new Promise(done => {
  const socket = new WebSocket(target.replace('http', 'ws') + '/graphql', 'graphql-ws');
  socket.onopen = () => done('OPEN'); socket.onerror = () => done('blocked'); });
(async () => {
  tried.image = await by_image(); tried.form = await by_form(); tried.plain = await by_plain_fetch();
  tried.fetch = await by_fetch(); tried.socket = await by_socket(); document.title = JSON.stringify(tried);
})();
</script>"""


class Browser:
    """Headless Chromium, driven by its own protocol."""

    def __init__(self, program: str, folder: Path, names: str) -> None:
        from websockets.sync.client import connect

        command = [program, *_FLAGS, f"--host-resolver-rules={names}", f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert self.process.stderr is not None
        lines = iter(self.process.stderr.readline, "")
        address = next(urls.group(1) for line in lines if (urls := re.search(r"listening on (ws://\S+)", line)))
        threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()
        self.opened = contextlib.ExitStack()
        self.connection = self.opened.enter_context(connect(address, max_size=None, proxy=None))
        self.answers: list[tuple[str, int]] = []  # of the last page: address and status
        self.number, self.session = 0, ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Page", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.connection.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while True:
            event = json.loads(self.connection.recv(timeout=120))
            if event.get("method") == "Network.responseReceived":
                answer = event["params"]["response"]
                self.answers.append((answer["url"], answer["status"]))
            if event.get("id") == self.number:
                assert "error" not in event, event
                return event["result"]

    def open(self, address: str) -> None:
        self.answers.clear()
        self.call("Page.navigate", url=address)

    def run(self, source: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=source, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    def wait_for(self, source: str, seconds: float = 90.0) -> Any:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(AssertionError):  # the page is on its way
                value = self.run(source)
                if value:
                    return value
            time.sleep(0.3)
        raise AssertionError(f"not within {seconds} s: {source}; the page shows {self.run('document.body.innerText')}")

    def statuses(self, part: str) -> set[int]:
        return {status for address, status in self.answers if part in address.partition("?")[0]}

    def close(self) -> None:
        self.opened.close()
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()  # type: ignore[union-attr]


@dataclass(frozen=True)
class Ui:
    url: str

    def ask(self, query: str) -> Any:
        """What a program of this machine asks."""
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]


@pytest.fixture(scope="module")
def ui(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """``winnowry ui`` on a lake in a bucket, after a run."""
    folder = tmp_path_factory.mktemp("ui")
    bucket = s3_server.make_bucket()
    landing = make_tiny_project(folder / "written") / "lake/landing/mail/2026.jsonl"
    s3_server.client().put_object(Bucket=bucket, Key="lab #1/landing/mail/2026.jsonl", Body=landing.read_bytes())
    environment = {**os.environ, **s3_server.environment, "WINNOWRY_HOME": str(folder / "home")}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)

    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "winnowry.cli.main", *arguments]

    subprocess.run(command("init", "project"), cwd=folder, env=environment, check=True, capture_output=True)
    project = folder / "project"
    for recipe in (project / "recipes").glob("*.yaml"):
        recipe.unlink()
    (project / "recipes" / "tickets.yaml").write_text(RECIPE, encoding="utf-8")
    root = ("--root", f"s3://{bucket}/lab #1")
    done = subprocess.run(
        command("run", "tickets", *root), cwd=project, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            command("ui", "--port", str(port), *root), cwd=project, env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 300
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/server_info", timeout=5):
            break
        assert time.monotonic() < until, (folder / "ui.log").read_text()
        assert process.poll() is None, (folder / "ui.log").read_text()
        time.sleep(0.5)
    yield Ui(url)
    process.terminate()
    process.wait(60)


@pytest.fixture(scope="module")
def foreign() -> Iterator[int]:
    """The port of somebody else's server; every page of it attacks the address in its query."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = self.path.partition("?")[2]
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(_ATTACK.replace("TARGET", json.dumps(target)).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(foreign: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )
    if not program:
        pytest.skip("no Chromium on this machine")
    names = f"MAP evil.example 127.0.0.1:{foreign}, MAP rebound.example 127.0.0.1"
    browser = Browser(program, tmp_path_factory.mktemp("chromium"), names)
    yield browser
    browser.close()


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:{port}"])
def test_a_page_of_another_site_or_port_reaches_nothing(origin: str, ui: Ui, browser: Browser, foreign: int) -> None:
    browser.open(f"{origin.format(port=foreign)}/?{ui.url}")
    tried = json.loads(browser.wait_for("document.title.startsWith('{') && document.title"))
    assert tried == {"image": "sent", "form": "sent", "plain": "sent", "fetch": "blocked", "socket": "blocked"}
    assert len([address for address, _ in browser.answers if address.startswith(ui.url)]) >= 3
    assert browser.statuses(ui.url) <= {403, 405, 415}


def test_another_name_for_the_same_server_is_not_served(ui: Ui, browser: Browser) -> None:
    browser.open(ui.url.replace("127.0.0.1", "rebound.example") + "/server_info")
    browser.wait_for("document.body.innerText.includes('no server of this name')")
    assert browser.statuses("rebound.example") == {421}


_METADATA = """{assetNodes {assetKey {path} assetMaterializations(limit: 1) {metadataEntries {
  ... on UrlMetadataEntry {url} ... on MarkdownMetadataEntry {mdStr}}}}}"""


def test_every_page_of_the_lake_that_an_asset_links_to_opens_in_a_sandbox(ui: Ui, browser: Browser) -> None:
    links: dict[str, set[str]] = {}
    for node in ui.ask(_METADATA)["assetNodes"]:
        entries = [entry for made in node["assetMaterializations"] for entry in made["metadataEntries"]]
        urls = {entry["url"] for entry in entries if "url" in entry}
        urls |= {place for entry in entries for place in re.findall(r"\]\((\S+?)\)", entry.get("mdStr", ""))}
        if urls:
            links["/".join(node["assetKey"]["path"])] = urls
    assert any("/releases/v1/page.html" in link for link in links["tickets/published"])
    for asset, urls in links.items():
        assert all(link.startswith("/lake/") for link in urls), (asset, urls)
    browser.open(f"{ui.url}/assets/tickets/published")
    shown = "[...document.querySelectorAll('a[href*=\"/lake/\"]')].map(one => one.getAttribute('href')).join(' ')"
    assert set(browser.wait_for(shown).split()) <= links["tickets/published"]
    assert browser.statuses("/graphql") == {200}
    for link in sorted(set[str]().union(*links.values())):
        browser.open(f"{ui.url}{link}")
        browser.wait_for(f"location.href.endsWith({json.dumps(link)}) && document.readyState === 'complete'")
        assert browser.statuses(link) == {200}, link
        assert browser.run("self.origin") == "null", link
        assert browser.run("document.body.innerText.length") > 0, link
        asked = "fetch('/graphql', {method: 'POST', headers: {'content-type': 'application/json'}, body: '{}'})"
        assert browser.run(f"{asked}.then(answer => answer.status, () => 'blocked')") == "blocked", link
