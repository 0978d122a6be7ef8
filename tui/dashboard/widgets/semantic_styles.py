"""The colours of the parts of a screen, by what they mean. A screen has them for all its widgets (styles/base.tcss).

Textual styles a component class anew for every widget that has it: where each bar and the table had their own, that
took longer than to draw them.
"""

from typing import TYPE_CHECKING, Any, cast

from rich.style import Style

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widget import Widget

TONE_CLASSES = {
    "tone--plain",
    "tone--strong",
    "tone--quiet",
    "tone--running",
    "tone--done",
    "tone--warning",
    "tone--failed",
    "tone--key",
    "tone--chosen",
}
"""What a screen with such widgets takes among its COMPONENT_CLASSES."""


def tone_style(widget: "Widget", tone: str) -> Style:
    """The colour and weight of a tone, without a ground."""
    screen = cast("Screen[Any]", widget.screen)
    return screen.get_component_rich_style(f"tone--{tone}", partial=True)
