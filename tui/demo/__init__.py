"""Demo: the real program with the simulator in the same process. No keys, no network, nothing saved."""

from tui.demo.setup import demo_workspace

__all__ = ["demo_workspace"]
