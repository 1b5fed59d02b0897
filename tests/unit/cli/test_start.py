"""The command line starts fast and imports nothing heavy to say what it can do."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("dagster", "great_expectations", "lance", "pyarrow", "duckdb", "numba", "boto3", "numpy", "rich", "pydantic")


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
