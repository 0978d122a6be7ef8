"""No test asserts how long something took or what it used, and none gives up before a slow machine is ready.

Those figures are rows of `tests/benchmarks` and counts of `tests/long_running`, which compare in one run.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.syntax import nodes

TESTS = Path(__file__).parent
MEASURES = {"monotonic", "perf_counter", "process_time", "thread_time", "getrusage", "get_traced_memory", "cpu"}
MEASURES |= {each + "_ns" for each in MEASURES}
"""Functions that measure time or memory."""
WAITS = {"communicate", "end", "get", "join", "result", "run", "timeout", "until", "wait", "wait_for", "wait_until"}
"""Functions that wait for something; the last of their arguments is how long. What `run` and `wait` return is a pause's
end, unless it is asserted."""
SHORTEST = 30.0
"""Seconds that a wait must allow at least."""


def measured(tree: ast.AST) -> bool:
    """Whether it calls one of MEASURES."""
    return any(isinstance(node, ast.Call) and called(node) in MEASURES for node in nodes(tree))


def called(node: ast.Call) -> str:
    """Last name of the called function."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def assigned(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Targets and values of its assignments; those of tuples one by one."""
    for node in nodes(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    yield from zip(target.elts, node.value.elts, strict=False)
                else:
                    yield target, node.value


def assertions(tree: ast.Module) -> Iterator[int]:
    """Lines that assert a measured value, or one computed from it."""
    functions = (node for node in nodes(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    for function in filter(measured, functions):
        names = {
            name.id
            for target, value in assigned(function)
            if measured(value)
            for name in nodes(target)
            if isinstance(name, ast.Name)
        }
        for node in (each for each in nodes(function) if isinstance(each, ast.Assert)):
            used = {name.id for name in nodes(node.test) if isinstance(name, ast.Name)}
            if used & names or measured(node.test):
                yield node.lineno


def short_waits(tree: ast.Module) -> Iterator[int]:
    """Lines that wait for less than SHORTEST, or for a fixed time."""
    found = list(nodes(tree))
    asserted = {id(each) for node in found if isinstance(node, ast.Assert) for each in nodes(node)}
    for node in (each for each in found if isinstance(each, ast.Call) and called(each) in {"sleep", *WAITS}):
        pauses = called(node) == "run" or (called(node) == "wait" and id(node) not in asserted)
        given = [node.args[-1]] if node.args and not pauses else []
        given += [each.value for each in node.keywords if each.arg in {"timeout", "within", "seconds"}]
        numbers = [each.value for each in given if isinstance(each, ast.Constant)]
        if called(node) != "sleep" and any(isinstance(each, int | float) and 0 < each < SHORTEST for each in numbers):
            yield node.lineno
        if ast.unparse(node.func) == "time.sleep":
            yield node.lineno


def test_no_test_depends_on_the_speed_of_the_machine() -> None:
    found = [
        f"{path.relative_to(TESTS.parent)}:{line}: {finds.__name__}"
        for path in sorted(TESTS.rglob("*.py"))
        if path.name not in {"waiting.py", "terminal.py"}
        and path.relative_to(TESTS).parts[0] not in {"benchmarks", "long_running"}
        for source in [path.read_text("utf-8")]
        for tree in [ast.parse(source)]
        for finds in (assertions, short_waits)
        if finds is short_waits or any(name in source for name in MEASURES)
        for line in sorted(set(finds(tree)))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "finds"),
    [
        ("def f():\n began = time.monotonic()\n took = time.monotonic() - began\n assert took < 1", assertions),
        ("def f():\n assert terminal.cpu() < 0.1", assertions),
        ("async def f():\n async with asyncio.timeout(5): ...", short_waits),
        ("process.communicate(timeout=10)", short_waits),
        ("time.sleep(1)", short_waits),
    ],
)
def test_a_dependence_on_the_speed_of_the_machine_is_found(code: str, finds) -> None:
    assert list(finds(ast.parse(code)))
