"""What holds for every test."""

from hypothesis import settings

settings.register_profile("suite", deadline=None)  # machines are shared: a slow moment is no defect
settings.load_profile("suite")
