"""``winnowry ui``: Dagster's UI and daemon on the project and the lake."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from winnowry.cli.options import Call, common_options


@click.command("ui", short_help="Runs, checks, lineage and schedules in the browser (Dagster).")
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@common_options
def command(port: int, host: str, call: Call) -> int:
    """Start Dagster's UI and daemon for the project and the lake; Ctrl-C stops both."""
    from winnowry.cli.home import dagster_home, prepare_home
    from winnowry.cli.project import find_project
    from winnowry.core.errors import UsageError

    project = find_project()
    home = prepare_home(dagster_home(), project.root)
    if not _is_free(host, port):
        raise UsageError(f"port {port} of {host} is taken; name another with --port")
    url = f"http://{host}:{port}"
    call.output().document({"url": url, "home": str(home), "project": str(project.root), "root": call.root})
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
    environment = {**os.environ, "DAGSTER_HOME": str(home), "WINNOWRY_HOME": str(home), "WINNOWRY_ROOT": call.root}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(sys.executable, dagster_command(project.root, host, port), environment)


def dagster_command(project: Path, host: str, port: int) -> list[str]:
    """Command line that serves a project."""
    workspace = str(project / "workspace.yaml")
    return [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "dagster",
        "dev",
        "--workspace",
        workspace,
        "--host",
        host,
        "--port",
        str(port),
    ]


def _is_free(host: str, port: int) -> bool:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
