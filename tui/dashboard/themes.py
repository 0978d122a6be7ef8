"""Themes of the program. The hues of the phases stay distinct for colour-blind operators (Okabe and Ito, 2008)."""

from textual.theme import Theme

from tui.storage.config.settings import OWN_THEMES

DARK = Theme(
    name=OWN_THEMES[0],
    primary="#56b4e9",
    secondary="#8fa3b3",
    accent="#56b4e9",
    warning="#f0e442",
    error="#ff7f41",
    success="#2bbf92",
    foreground="#d7dde2",
    background="#101216",
    surface="#15181d",
    panel="#1c2027",
    dark=True,
    variables={
        "job-running": "#56b4e9",
        "job-done": "#2bbf92",
        "job-failed": "#ff7f41",
        "job-warning": "#f0e442",
        "job-quiet": "#7f8b96",
        "row-cursor": "#26313d",
        "row-cursor-blurred": "#1b2129",
        "footer-key-foreground": "#56b4e9",
        "input-selection-background": "#56b4e9 35%",
        "scrollbar": "#7f8b96 60%",
        "scrollbar-hover": "#56b4e9",
        "scrollbar-background": "#15181d",
    },
)

LIGHT = Theme(
    name=OWN_THEMES[1],
    primary="#0072b2",
    secondary="#5b6b78",
    accent="#0072b2",
    warning="#8a6500",
    error="#b34700",
    success="#00734f",
    foreground="#1d2329",
    background="#fbfbf9",
    surface="#f2f2ee",
    panel="#e8e8e3",
    dark=False,
    variables={
        "job-running": "#0072b2",
        "job-done": "#00734f",
        "job-failed": "#b34700",
        "job-warning": "#8a6500",
        "job-quiet": "#6c757d",
        "row-cursor": "#d3e4f0",
        "row-cursor-blurred": "#e9edf0",
        "footer-key-foreground": "#0072b2",
        "input-selection-background": "#0072b2 30%",
        "scrollbar": "#6c757d 60%",
        "scrollbar-hover": "#0072b2",
        "scrollbar-background": "#f2f2ee",
    },
)

CONTRAST = Theme(
    name=OWN_THEMES[2],
    primary="#7fd0ff",
    secondary="#ffffff",
    accent="#7fd0ff",
    warning="#ffe600",
    error="#ff9b6a",
    success="#3df5b8",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#101010",
    dark=True,
    variables={
        "job-running": "#7fd0ff",
        "job-done": "#3df5b8",
        "job-failed": "#ff9b6a",
        "job-warning": "#ffe600",
        "job-quiet": "#c8c8c8",
        "row-cursor": "#004a80",
        "row-cursor-blurred": "#003050",
        "footer-key-foreground": "#7fd0ff",
        "input-selection-background": "#7fd0ff 45%",
        "scrollbar": "#c8c8c8 60%",
        "scrollbar-hover": "#7fd0ff",
        "scrollbar-background": "#000000",
    },
)

THEMES = (DARK, LIGHT, CONTRAST)
"""In the order of the command `theme`."""
