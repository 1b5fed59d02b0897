"""``winnowry ui``: Dagster's UI and daemon on the project and the lake."""

from __future__ import annotations

import os

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options


@click.command(
    "ui",
    short_help="Runs, checks, lineage and schedules in the browser (Dagster).",
    epilog=examples("winnowry ui", "winnowry ui --port 8080 --root s3://my-bucket/lake"),
)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; asks for a token unless it is this machine's own.",
)
@click.option(
    "--allow-host", "also", multiple=True, metavar="NAME", help="Also answer to this name, that of a proxy. Repeatable."
)
@common_options
def command(port: int, host: str, also: tuple[str, ...], call: Call) -> int:
    """Start Dagster's UI and daemon for the project and the lake; Ctrl-C stops both.

    It answers its own pages and programs, and no page of another site that is open in the same browser.
    """
    from winnowry.cli.ui_server import UiServer, claim_port, connectable, serve
    from winnowry.runs.home import dagster_home
    from winnowry.runs.project import find_project
    from winnowry.runs.webserver import TOKEN, is_loopback, make_token

    project = find_project()
    home = dagster_home()
    port = claim_port(host, port)
    token = None if is_loopback(host) else os.environ.get(TOKEN) or make_token()
    signed = f"/?token={token}" if token else ""
    url = f"http://{connectable(host)}:{port}{signed}"
    output = call.output()
    if not call.as_json:
        from rich.text import Text

        from winnowry.cli.output import stderr

        stderr().print(
            Text.assemble(
                ("winnowry ui  ", "bold"), (url, "cyan"), f"\n  project {project.root}\n  lake    {call.root}\n"
                f"  home    {home}\n", ("  ready in about 20 s; Ctrl-C stops it", "bright_black"),
            ),
            soft_wrap=True,
        )  # fmt: skip

    def ready(address: str) -> None:
        output.document(
            {"url": f"{address}{signed}", "home": str(home), "project": str(project.root), "root": call.root}
        )

    return serve(UiServer(project.root, call.root, home, host, port, also, token), ready)
