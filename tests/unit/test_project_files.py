"""What the files beside the code promise each other."""

from __future__ import annotations

import ast
import importlib.util
import re
import runpy
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from winnowry.runs import template

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")])
LOCKS = sorted(ROOT.glob("requirements/*.txt"))
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
OF_OTHERS = ("dolma", "data-juicer")
"""Locks of what winnowry is measured beside, each in an environment of its own."""
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_of_a_page_leads_to_a_file(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    missing = [link for link in LINK.findall(prose) if not (page.parent / link).exists()]

    assert missing == []


def normal(requirement: str) -> str:
    """The name of a requirement in the form that registries compare."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def test_every_package_that_the_code_imports_is_declared_and_every_declared_one_is_used() -> None:
    code = [path for top in ("src", "assets", "resources", "expectations") for path in (ROOT / top).rglob("*.py")]
    imported: set[str] = set()
    for path in code:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("find_spec", "files", "import_module", "read_binary")
            ):
                imported |= {str(arg.value).split(".")[0] for arg in node.args if isinstance(arg, ast.Constant)}
    imported -= {*sys.stdlib_module_names, "winnowry", "assets", "resources", "expectations"}
    owners = packages_distributions()
    owners.setdefault("ufal", ["ufal.udpipe"])  # a name that packages share; this one may not be installed
    # With boto3, pydantic and dagster-webserver, in the version that those ask for.
    come_along = {"botocore", "pydantic-core", "starlette"}
    used = {normal(owner) for name in imported for owner in owners.get(name, [name])} - come_along
    declaration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = declaration["project"]
    for_types = {normal(text) for text in declaration["dependency-groups"]["check"]}
    declared = {normal(text) for text in project["dependencies"]}
    optional = {normal(text) for extra in project["optional-dependencies"].values() for text in extra}

    assert sorted(used - declared - optional - for_types) == []
    assert sorted(declared - used) == []


def test_version_and_changelog_agree() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## \[?([^\]\s]+)\]?", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)

    assert version("winnowry") == declared
    assert headings[0] == "Unreleased"
    assert headings[1:2] in ([], [declared]), "the newest release in CHANGELOG.md is not the version of pyproject.toml"


def test_the_citation_names_the_released_version_and_the_licence() -> None:
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert (citation["cff-version"], citation["type"], citation["title"]) == ("1.2.0", "software", project["name"])
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert citation["authors"]
    assert citation["message"]


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^\.PHONY: (\S+)$", makefile, flags=re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, flags=re.MULTILINE)
    rules = re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE)

    assert targets == explained == rules


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_targets_that_exist_with_few_rights_and_actions_pinned_by_commit(workflow: Path) -> None:
    text = workflow.read_text()
    content = YAML(typ="safe").load(text)
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    steps = [step for job in content["jobs"].values() for step in job["steps"]]
    called = {step["run"].split()[1] for step in steps if step.get("run", "").startswith("make ")}

    assert content["permissions"] == {"contents": "read"}
    assert called - targets == set()
    assert [step["uses"] for step in steps if not re.search(r"@[0-9a-f]{40}$", step.get("uses", f"@{40 * '0'}"))] == []
    assert all("timeout-minutes" in job for job in content["jobs"].values())
    assert "://" not in text


def test_contributing_prints_the_ladder_of_imports_as_it_is_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    enforced = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    printed = re.search(r"^```\nassets\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.M | re.DOTALL)

    assert printed is not None
    assert ["assets", *printed[1].split("\n")[:-1]] == [layer.replace("winnowry.", "") for layer in enforced]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_of_a_lock_is_pinned_and_hashed_and_no_registry_is_named(lock: Path) -> None:
    requirements = re.split(r"\n(?=\S)", lock.read_text().strip())

    assert len(requirements) >= (4 if lock.stem == "media-samples" else 20)
    assert [text.splitlines()[0] for text in requirements if "==" not in text or "--hash=sha256:" not in text] == []
    assert re.findall(r"://|--index-url|--extra-index-url|--find-links", lock.read_text()) == []


def test_the_locks_agree_on_every_version_they_share() -> None:
    pins: dict[str, set[tuple[str, ...]]] = {}
    for lock in LOCKS:
        if lock.stem in OF_OTHERS:
            continue
        found: dict[str, list[str]] = {}
        for name, pin in re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", lock.read_text(), flags=re.MULTILINE):
            found.setdefault(name, []).append(pin)
        for name, versions in found.items():
            pins.setdefault(name, set()).add(tuple(versions))

    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_the_wheel_and_the_command_line_mean_the_same_template(monkeypatch: pytest.MonkeyPatch) -> None:
    built: dict[str, Any] = {}
    monkeypatch.setattr("setuptools.setup", lambda **arguments: built.update(arguments))
    setup = runpy.run_path(str(ROOT / "setup.py"))

    assert setup["TEMPLATE_FOLDERS"] == template.FOLDERS
    assert setup["TEMPLATE_FILES"] == template.FILES
    assert "build_py" in built["cmdclass"]


@pytest.fixture(scope="module")
def package_page() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("setuptools.setup", lambda **_: None)
        return runpy.run_path(str(ROOT / "setup.py"))["package_page"]


@pytest.mark.parametrize(
    ("repository", "link", "image"),
    [
        ("https://example.org/w/", "[a *b*](https://example.org/w/blob/HEAD/docs/a.md#c)", "![i](https://example.org/w/raw/HEAD/i.png)"),
        ("", "a *b*", ""),
    ],
)  # fmt: skip
def test_links_of_a_package_page_lead_to_the_repository_or_are_text(
    package_page: Any, repository: str, link: str, image: str
) -> None:
    untouched = "[x](https://x.org) [y](#y)\n\n```console\n$ echo [z](z)\n```\n"

    page = package_page(f"[a *b*](docs/a.md#c) ![i](i.png) {untouched}", repository)

    assert page == f"{link} {image} {untouched}"


@pytest.mark.parametrize("repository", ["", "https://example.org/winnowry"])
def test_the_readme_has_no_relative_link_on_a_package_page(package_page: Any, repository: str) -> None:
    readme = (ROOT / "README.md").read_text()
    page = re.sub(r"```.*?```", "", package_page(readme, repository), flags=re.DOTALL)

    assert len(LINK.findall(re.sub(r"```.*?```", "", readme, flags=re.DOTALL))) > 10
    assert LINK.findall(page) == []
    assert ("![" in page) == bool(repository)


BENCHMARKS = [
    path
    for path in sorted(ROOT.glob("benchmarks/*.py"))
    if not path.stem.endswith(("_run", "_datatrove"))  # these run in environments of their own
]


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_needs_nothing_that_its_environment_lacks(path: Path) -> None:
    # What only a part of it needs, an extra or a peer, is imported in that part.
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wanted = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    wanted |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    roots = {name.partition(".")[0] for name in wanted}
    beside = {other.stem for other in ROOT.glob("benchmarks/*.py")}
    assert sorted(name for name in roots - beside if importlib.util.find_spec(name) is None) == []
