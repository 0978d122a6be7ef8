"""Imports are declared, declarations are used, and dev dependencies are pinned."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.syntax import nodes

pytestmark = pytest.mark.xdist_group("dependencies")  # what `imported` returns is read once
ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
BROUGHT = {"rich": "textual", "httpcore": "httpx"}
"""Imported together with the package that depends on it and exposes its types."""
UNSEEN = {"sniffio": "httpcore imports it where it is there"}
"""Imported by other packages only."""
TOOLS = {"build", "codespell", "import-linter", "pyright", "ruff"}
TOOLS |= {"pytest-asyncio", "pytest-randomly", "pytest-textual-snapshot", "pytest-timeout", "pytest-xdist"}
"""Dev dependencies that are tools or plugins, not imported."""
IMPORT = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
"""Line that looks like an import: only modules with one of another package are parsed."""
INSTALLED_BY_A_TEST = ROOT / "tests" / "support" / "vendor_clients"
"""Programs with imports that only the test installs that runs them."""


def plain(name: str) -> str:
    """Normalised name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: Iterable[str]) -> set[str]:
    return {plain(re.match(r"[A-Za-z0-9._-]+", each)[0]) for each in requirements} - {"babeltop"}


@cache
def distributions() -> Mapping[str, list[str]]:
    """Distributions by module; cached, since it reads the metadata of all."""
    return packages_distributions()


@cache
def imported(*folders: str) -> set[str]:
    """Distributions that any module in the folders imports."""
    found = set[str]()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        source = path.read_text("utf-8")
        if path.is_relative_to(INSTALLED_BY_A_TEST) or not distributed(IMPORT.findall(source)) - found:
            continue
        for node in nodes(ast.parse(source)):
            if isinstance(node, ast.Import):
                found |= distributed(each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found |= distributed([node.module])
    return {plain(distributions()[top][0]) for top in found}


def distributed(modules: Iterable[str]) -> set[str]:
    """Names of the packages, other than our own, in which the modules are."""
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"tui", "tests"}


def test_imports_of_the_program_and_declared_dependencies_match():
    wanted = declared(PROJECT["dependencies"]) | declared(
        EXTRAS["web"] + EXTRAS["keyring"] + EXTRAS["simulate"] + EXTRAS["metrics"] + EXTRAS["postgres"]
    )
    found = imported("tui")
    assert {BROUGHT.get(each, each) for each in found} | UNSEEN.keys() == wanted
    assert not {"anyio", "h11"} & found, "what brings them may drop them"


def test_imports_of_the_tests_and_dev_dependencies_match():
    program = imported("tui") | BROUGHT.keys() | UNSEEN.keys()
    known = declared(EXTRAS["dev"])
    assert imported("tests") - program <= known
    assert known - imported("tests", "tui") <= TOOLS
    assert known >= TOOLS


def test_dev_dependencies_are_pinned():
    loose = [each for each in EXTRAS["dev"] if "==" not in each and not each.startswith("babeltop[")]
    assert loose == []


def test_every_dependency_of_the_program_has_a_floor():
    extras = EXTRAS["web"] + EXTRAS["keyring"] + EXTRAS["simulate"] + EXTRAS["metrics"] + EXTRAS["postgres"]
    extras += [each for each in EXTRAS["socks"] if "[" not in each]
    assert [each for each in PROJECT["dependencies"] + extras if ">=" not in each] == []


def test_httpx_is_imported_without_its_command_line():
    """It would import click and pygments where they are installed: 50 ms of each start."""
    code = "import sys, tui.engine.notifications.delivery, tui.engine.http.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "httpx" in loaded
    assert not {"click", "pygments"} & loaded
