"""`python -m tests.benchmarks [NAME…] [--json]`: prints our figure, the peer's and the ratio; exits 1 on a miss."""

import argparse
import importlib
import json
import math
import multiprocessing
import pkgutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from types import ModuleType
from typing import Any

from tests import benchmarks
from tests.benchmarks.consoles import row
from tests.benchmarks.folders import shared_folders, shared_root

Row = dict[str, Any]
"""ours, peer, ratio, hold, better ("lower" or "higher"), unit."""
HEADER = f"{'':<62}{'ours':>12}{'peer':>12}{'ratio':>10}{'hold':>10}"
MARGIN = 0.1
"""Share by which a row should be better than its bound: what a machine's noise takes."""
BESIDE = 3
"""Processes that run at once while nothing is timed: one of them mostly waits."""


def modules(names: Iterable[str]) -> Iterator[ModuleType]:
    """Yield the benchmarks of these names, or all: the modules of this package with a `measure` function."""
    every = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]
    for name in names or every:
        if name not in every:
            raise SystemExit(f"no benchmark {name!r}, use one of {', '.join(every)}")
        module = importlib.import_module(f"{benchmarks.__name__}.{name}")
        if hasattr(module, "measure"):
            yield module


def verdict(row: Row) -> str:
    """Return whether the ratio meets its bound, and whether by a tenth."""
    ratio, hold = (row["ratio"], row["hold"]) if row["better"] == "lower" else (row["hold"], row["ratio"])
    if ratio * (1 + MARGIN) <= hold:
        return f"holds with {MARGIN:.0%}"
    return "holds" if ratio <= hold else "missed"


def format_row(name: str, row: Row) -> str:
    bound = f"{'≤' if row['better'] == 'lower' else '≥'} {row['hold']:.4g}"
    figures = f"{row['ours']:>12.4g}{row['peer']:>12.4g}{row['ratio']:>10.4g}{bound:>10}"
    return f"{name:<62}{figures}  {verdict(row):<14} {row['unit']}"


def measured(name: str) -> tuple[dict[str, Row], float]:
    """Return a benchmark's rows and seconds. If it fails, the traceback is printed and its row has no ratio."""
    began = time.perf_counter()
    try:
        rows = importlib.import_module(name).measure()
    except Exception:  # noqa: BLE001  the other benchmarks are measured all the same
        traceback.print_exc()
        nan = math.nan
        rows = {f"{name.rpartition('.')[2]}: failed": row(nan, nan, nan, "see its traceback")}
    return rows, time.perf_counter() - began


def measured_one_by_one(chosen: list[ModuleType]) -> Iterator[tuple[ModuleType, dict[str, Row], float]]:
    """Yield the benchmarks with their rows and seconds.

    First come, at once, those whose IS_TIMED is False (they measure counts, memory or CPU time) and the making of
    FOLDERS, `shared_folders` of these arguments. The others run alone: two at once would disturb each other.
    """
    shared_root()
    beside = [module for module in chosen if not getattr(module, "IS_TIMED", True)]
    with ProcessPoolExecutor(BESIDE, multiprocessing.get_context("fork")) as pool:
        needed = sorted({folders for module in chosen for folders in getattr(module, "FOLDERS", ())})
        preparing = [pool.submit(shared_folders, *folders) for folders in reversed(needed)]
        running = [(module, pool.submit(measured, module.__name__)) for module in beside]
        for module, rows in running:
            yield module, *rows.result()
        for folders in preparing:
            folders.exception()  # it fails again where it is needed
    for module in chosen:
        if module not in beside:
            yield module, *measured(module.__name__)


def main() -> int:
    """Print the rows of the benchmarks. Returns 1 if one does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=benchmarks.__doc__)
    parser.add_argument("name", nargs="*", help="benchmarks to run (default: all)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    every: dict[str, Row] = {}
    began = time.perf_counter()
    for module, rows, seconds in measured_one_by_one(list(modules(args.name))):
        every |= rows
        print(f"{module.__name__}: {seconds:.0f} s", file=sys.stderr, flush=True)
    verdicts = Counter(map(verdict, every.values()))
    if args.json:
        print(json.dumps(every, ensure_ascii=False))
    else:
        print(HEADER, *(format_row(*each) for each in every.items()), sep="\n")
        counts = ", ".join(f"{count} {each}" for each, count in verdicts.items())
        print(f"{counts}, in {time.perf_counter() - began:.0f} s")
    return 1 if verdicts["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
