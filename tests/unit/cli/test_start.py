"""The command line starts fast and imports nothing heavy to say what it can do."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "dagster",
    "great_expectations",
    "lance",
    "pyarrow",
    "duckdb",
    "numba",
    "boto3",
    "numpy",
    "rich",
    "pydantic",
    "jinja2",
)


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys; from winnowry.cli.main import main; main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"
    assert "demo" in done.stdout


def test_the_exit_code_reaches_the_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "winnowry.cli.main", "nonsense"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command" in done.stderr


def test_the_template_engine_is_imported_when_a_page_is_made_and_not_before() -> None:
    code = (
        "import sys; import winnowry.report.release_page, winnowry.report.comparison_page; "
        "from winnowry.report.render import render; print('jinja2' in sys.modules); "
        "render('data_docs.html.j2', name='n', counts=[], rows=[]); print('jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True"]
