"""Fixtures for every test.

Markers (declared in pyproject.toml): ``slow``, ``faults``, ``s3``, ``extras``, ``torch``. `make test` leaves out the
slow ones; those of the last two skip there, and `make test-extras` runs them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# A plugin rather than fixtures here: the server's start and stop are a piece of their own.
pytest_plugins = ["tests.s3_server"]

# A test must not see this machine's credentials, endpoints or homes: a mistake would write to somebody's bucket.
_FOREIGN = ("AWS_", "WINNOWRY_", "DAGSTER_", "LANCE_", "MINIO_")
_OURS = ("AWS_CA_BUNDLE", "WINNOWRY_KILLS")  # the second: how many kills tests/faults makes
for _name in [name for name in os.environ if name.startswith(_FOREIGN) and name not in _OURS]:
    del os.environ[_name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "true"
# What a test has winnowry run as code is not noted for the account that runs the tests.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="winnowry-state-")


# No timed asserts: on a busy machine an example may take longer than the 200 ms that hypothesis allows one.
settings.register_profile("winnowry", deadline=None)
settings.load_profile("winnowry")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail each test that skips")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where ``--no-skips`` says that nothing is missing, a skip is a failure: else a test could skip for ever."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--no-skips"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real samples of many kinds of data, kept beside the repository and never in it; skips where there are none."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: this test reads the samples kept beside the repository")
    return folder
