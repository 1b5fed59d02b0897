"""The packaged code location in a project that has none of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from winnowry.cli.init import write_project
from winnowry.cli.starter import recipe_of
from winnowry.runs.template import template_root

SOURCE = Path(__file__).resolve().parents[3] / "src"
LOAD = """
import json, sys
from pathlib import Path
from winnowry.runs.dagster import load_definitions
from winnowry.runs.project import Project
project = Project(Path(sys.argv[1]))
definitions = load_definitions(project)
from resources.settings import ProjectSettings
print(json.dumps({
    "corpora": sorted({key.path[0] for key in definitions.resolve_all_asset_keys()}),
    "lake": ProjectSettings().resolved_root(),
    "assets": sys.modules["assets"].__file__,
    "suites": project.module("expectations.registry").__file__,
}))
"""


def test_dagster_loads_the_packaged_assets_with_the_recipes_lake_and_suites_of_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_project(template_root(), project, texts={"recipes/letters.yaml": recipe_of("letters", None)})
    own = project / "expectations"
    own.mkdir()
    (own / "__init__.py").touch()
    (own / "registry.py").write_text("def suites_for(*_, **__): return []\n")
    (project / "resources").mkdir()  # no package: a folder that happens to have this name
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WINNOWRY_")}

    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(project)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(SOURCE)},
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "corpora": ["letters"],
        "lake": str(project / "lake"),
        "assets": str(template_root() / "assets" / "__init__.py"),
        "suites": str(own / "registry.py"),
    }
