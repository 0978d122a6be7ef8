"""`python -m tests.long_running [NAME…]`: runs each proof and prints its counts; exits with 1 if one fails."""

import argparse
import importlib
import pkgutil
import sys

from tests import long_running


def main() -> int:
    every = [module.name for module in pkgutil.iter_modules(long_running.__path__) if module.name != "__main__"]
    parser = argparse.ArgumentParser(prog="python -m tests.long_running", description=long_running.__doc__)
    parser.add_argument("name", nargs="*", help=f"proofs to run (default: all): {', '.join(every)}")
    failed = 0
    for name in parser.parse_args().name or every:
        if name not in every:
            parser.error(f"no proof {name!r}, use one of {', '.join(every)}")
        proof = importlib.import_module(f"{long_running.__name__}.{name}")
        try:
            proof.main()
        except AssertionError as error:
            print(f"{name} failed: {error}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
