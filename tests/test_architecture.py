"""Rules of the whole project, in addition to its layers."""

import re
import tomllib
from pathlib import Path

from tests.benchmarks.consoles import FixedEngine
from tests.support.fake_engine import FakeEngine
from tui.engine.api import EngineHandle

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {"simulator", "demo"}
ORDINARY_WORDS = {"azure", "d", "google", "happy", "phrase", "rev", "sync"}
"""First words of services' names that mean something else as well: stores of files, or plain English."""


def modules() -> list[Path]:
    return [path for path in (ROOT / "tui").rglob("*.py") if path.relative_to(ROOT / "tui").parts[0] not in OUTSIDE]


def test_no_provider_name_occurs_in_code():
    """The provider file format is extended instead of special-casing a service."""
    names = [path.stem for path in (ROOT / "tui" / "providers" / "builtin").glob("*.toml")]
    names += [name.partition("-")[0] for name in names if name.partition("-")[0] not in ORDINARY_WORDS]
    named = re.compile(rf"(?<![a-z])({'|'.join(sorted(set(names)))})(?![a-z])", re.IGNORECASE)
    found = [f"{path}: {match[0]}" for path in modules() for match in named.finditer(path.read_text("utf-8"))]
    assert found == []


def test_the_providers_package_catches_named_exceptions_only():
    for path in (ROOT / "tui" / "providers").glob("*.py"):
        assert "except Exception" not in path.read_text("utf-8"), path


def test_every_dependency_has_a_reason():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    dependencies = tomllib.loads(text)["project"]["dependencies"]
    assert {re.split("[<>=]", each)[0] for each in dependencies} == {
        "textual", "httpx", "platformdirs", "tomli-w", "msgspec", "filelock", "sniffio"
    }  # fmt: skip
    for each in dependencies:
        assert re.search(rf'"{re.escape(each)}",\s+# \w', text), f"{each} has no reason"


def test_the_top_folder_has_only_the_expected_entries():
    expected = {"pyproject.toml", "tui", "styles", "tests", "README.md", "screenshots", "LICENSE", "CHANGELOG.md"}
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    there = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert {name for name in there if name not in ignored and not name.endswith(".egg-info")} <= expected


def test_the_engines_of_tests_and_benchmarks_have_every_method_of_the_real_one():
    """The type checker reads tui/ only: a benchmark of a program that crashes measured a closed terminal."""
    methods = {name for name in vars(EngineHandle) if not name.startswith("_")}
    for engine in (FixedEngine, FakeEngine):
        assert methods <= set(dir(engine)) | set(vars(engine)), engine
