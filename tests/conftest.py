"""What holds for every test."""

import os
import sys

from hypothesis import settings

settings.register_profile("suite", deadline=None)  # machines are shared: a slow moment is no defect
settings.load_profile("suite")

sys.dont_write_bytecode = False  # else each worker, and each program that a test starts, compiles every module
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
