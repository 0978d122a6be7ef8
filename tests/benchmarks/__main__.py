"""`python -m tests.benchmarks [NAME…] [--json]`: ours, the peer's and the ratio; 1 where one does not hold."""

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterable
from typing import Any

from tests import benchmarks

Row = dict[str, Any]
"""ours, peer, ratio, hold, better ("lower" or "higher"), unit."""


def found() -> dict[str, Any]:
    """The modules of this package that measure something, by name."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]
    modules = {name: importlib.import_module(f"tests.benchmarks.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "measure")}


def holds(row: Row) -> bool:
    """Whether the ratio is on the right side of its bound."""
    return row["ratio"] <= row["hold"] if row["better"] == "lower" else row["ratio"] >= row["hold"]


def line(name: str, row: Row) -> str:
    bound = f"{'≤' if row['better'] == 'lower' else '≥'} {row['hold']:g}"
    verdict = "holds" if holds(row) else "DOES NOT HOLD"
    return (
        f"{name:<44}{row['ours']:>12.4g}{row['peer']:>12.4g}{row['ratio']:>10.3g}{bound:>9}  {verdict} ({row['unit']})"
    )


def rows(names: Iterable[str], *, show: bool) -> dict[str, Row]:
    """Measures one after the other: two at once would disturb each other."""
    modules, measured = found(), {}
    if show:
        print(f"{'':<44}{'ours':>12}{'peer':>12}{'ratio':>10}{'hold':>9}")
    for name in names or modules:
        for row, figures in modules[name].measure().items():
            measured[row] = figures
            if show:
                print(line(row, figures), flush=True)
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=benchmarks.__doc__)
    parser.add_argument("name", nargs="*", choices=[[], *found()], help="none: all")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    measured = rows(args.name, show=not args.json)
    if args.json:
        print(json.dumps(measured, ensure_ascii=False))
    return 0 if all(map(holds, measured.values())) else 1


if __name__ == "__main__":
    sys.exit(main())
