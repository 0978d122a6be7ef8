"""The demo: the real program over the simulator in this process. No keys, no network, nothing is kept."""

from tui.demo.setup import demo_workspace

__all__ = ["demo_workspace"]
