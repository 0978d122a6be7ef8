import importlib
import re
import sys

from tui import errors
from tui.errors import BabeltopError

_LINE = re.compile(r"^( *)(?:· )?(\w+Error)(?: \(([\w.]+)\))?$")


def drawn() -> list[tuple[str, str, str]]:
    """Each error of the docstring's tree: its name, its parent's name, the module that defines it."""
    found: list[tuple[str, str, str]] = []
    parents: list[tuple[int, str, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := _LINE.match(line):
            depth, name, module = len(match[1]), match[2], match[3] or ""
            parents = [each for each in parents if each[0] < depth]
            parent, inherited = (parents[-1][1], parents[-1][2]) if parents else ("", "")
            module = module or inherited or "errors"
            parents.append((depth, name, module if match[3] else inherited))
            found.append((name, parent, module))
    return found


def families(error: type[BabeltopError]) -> set[type[BabeltopError]]:
    return {error}.union(*(families(each) for each in error.__subclasses__()))


def test_the_tree_in_the_docstring_has_every_expected_error_below_its_parent():
    tree = drawn()
    for name, parent, module in tree:
        error = getattr(importlib.import_module(f"tui.{module}"), name)
        assert issubclass(error, BabeltopError)
        assert parent == "" or parent in {base.__name__ for base in error.__bases__}
    ours = {
        each.__name__
        for each in families(BabeltopError)
        if each.__module__.startswith("tui.") and each.__name__[0] != "_"
    }
    assert ours == {name for name, _, _ in tree}


def test_the_module_of_errors_imports_nothing():
    assert not [name for name, value in vars(errors).items() if isinstance(value, type(sys))]
