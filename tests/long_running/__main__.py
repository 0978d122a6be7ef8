"""`python -m tests.long_running [NAME…]`: runs each proof and prints what it found; 1 where one does not hold."""

import argparse
import importlib
import pkgutil
import sys

from tests import long_running


def main() -> int:
    every = [module.name for module in pkgutil.iter_modules(long_running.__path__) if module.name != "__main__"]
    parser = argparse.ArgumentParser(prog="python -m tests.long_running", description=long_running.__doc__)
    parser.add_argument("name", nargs="*", help=f"none: all. There are {', '.join(every)}")
    failed = 0
    for name in parser.parse_args().name or every:
        if name not in every:
            parser.error(f"there is no proof {name!r}; there are {', '.join(every)}")
        proof = importlib.import_module(f"{long_running.__name__}.{name}")
        try:
            proof.main()
        except AssertionError as error:
            print(f"{name} does not hold: {error}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
