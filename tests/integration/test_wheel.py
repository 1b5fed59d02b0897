from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from winnowry.runs.template import FILES, FOLDERS


@pytest.fixture(scope="module")
def checkout(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is built from, so that building leaves nothing in this checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", *FOLDERS):
        shutil.copytree(repository / name, folder / name, ignore=skip)
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md", *FILES):
        shutil.copy(repository / name, folder / name)
    return folder


def build(checkout: Path) -> set[str]:
    """Build a wheel and list its files."""
    shutil.rmtree(checkout / "dist", ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--wheel-dir", "dist", "."]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(wheel_of(checkout)) as opened:
        return set(opened.namelist())


def wheel_of(checkout: Path) -> Path:
    (wheel,) = (checkout / "dist").glob("winnowry-*.whl")
    return wheel


def test_the_wheel_carries_the_project_template_the_licence_and_its_types(checkout: Path) -> None:
    (checkout / "recipes" / "gone_tomorrow.yaml").write_text("version: 1\n")

    files = build(checkout)

    template = {
        path.relative_to(checkout).as_posix()
        for folder in FOLDERS
        for path in (checkout / folder).rglob("*")
        if path.is_file()
    } | set(FILES)
    carried = {name.removeprefix("winnowry/template/") for name in files if name.startswith("winnowry/template/")}
    assert carried == template
    assert "recipes/gone_tomorrow.yaml" in carried
    assert "winnowry/py.typed" in files
    pages = {p.relative_to(checkout / "src").as_posix() for p in checkout.glob("src/winnowry/report/templates/**/*.*")}
    assert pages <= files
    assert "winnowry/report/templates/release.html.j2" in pages
    assert any(name.endswith("/licenses/LICENSE") for name in files)
    with zipfile.ZipFile(wheel_of(checkout)) as wheel:
        (metadata,) = [wheel.read(name).decode() for name in files if name.endswith(".dist-info/METADATA")]
    assert "Description-Content-Type: text/markdown" in metadata
    assert "pip install winnowry" in metadata
    assert "](docs/" not in metadata
    assert not [name for name in files if name.startswith(("assets/", "resources/", "expectations/", "tests/"))]


def test_a_file_that_left_the_template_leaves_the_next_wheel_too(checkout: Path) -> None:
    extra = checkout / "recipes" / "left_over.yaml"
    extra.write_text("version: 1\n")
    assert "winnowry/template/recipes/left_over.yaml" in build(checkout)
    extra.unlink()

    assert "winnowry/template/recipes/left_over.yaml" not in build(checkout)
