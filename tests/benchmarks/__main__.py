"""`python -m tests.benchmarks [NAME…] [--json]`: prints our figure, the peer's and the ratio; exits 1 on a miss."""

import argparse
import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from tests import benchmarks

Row = dict[str, Any]
"""ours, peer, ratio, hold, better ("lower" or "higher"), unit."""
HEADER = f"{'':<52}{'ours':>12}{'peer':>12}{'ratio':>10}{'hold':>10}"


def modules(names: Iterable[str]) -> Iterator[ModuleType]:
    """Yield the benchmarks of these names, or all: the modules of this package with a `measure` function."""
    every = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]
    for name in names or every:
        if name not in every:
            raise SystemExit(f"no benchmark {name!r}, use one of {', '.join(every)}")
        module = importlib.import_module(f"{benchmarks.__name__}.{name}")
        if hasattr(module, "measure"):
            yield module


def holds(row: Row) -> bool:
    """Return whether the ratio meets its bound."""
    return row["ratio"] <= row["hold"] if row["better"] == "lower" else row["ratio"] >= row["hold"]


def format_row(name: str, row: Row) -> str:
    bound = f"{'≤' if row['better'] == 'lower' else '≥'} {row['hold']:g}"
    verdict = "holds" if holds(row) else "DOES NOT HOLD"
    return (
        f"{name:<52}{row['ours']:>12.4g}{row['peer']:>12.4g}{row['ratio']:>10.3g}{bound:>10}  {verdict} ({row['unit']})"
    )


def main() -> int:
    """Run the benchmarks one after the other: two at once would disturb each other."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=benchmarks.__doc__)
    parser.add_argument("name", nargs="*", help="benchmarks to run (default: all)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    measured: dict[str, Row] = {}
    if not args.json:
        print(HEADER)
    for module in modules(args.name):
        began = time.perf_counter()
        for name, row in module.measure().items():
            measured[name] = row
            if not args.json:
                print(format_row(name, row), flush=True)
        if not args.json:
            print(f"{'':<52}{time.perf_counter() - began:>12.0f} s", flush=True)
    if args.json:
        print(json.dumps(measured, ensure_ascii=False))
    return 0 if all(map(holds, measured.values())) else 1


if __name__ == "__main__":
    sys.exit(main())
