"""Styles by meaning (tones), which a screen defines for all its widgets (styles/base.tcss).

Textual computes a component class for every widget that has it: with one set per bar and table, that takes longer than
to draw them.
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
"""COMPONENT_CLASSES of a screen with such widgets."""


def tone_style(widget: "Widget", tone: str) -> Style:
    """Return the colour and weight of a tone, without a background."""
    screen = cast("Screen[Any]", widget.screen)
    return screen.get_component_rich_style(f"tone--{tone}", partial=True)
