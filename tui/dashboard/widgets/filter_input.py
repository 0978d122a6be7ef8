"""Input of the filter: completion with Tab, history with ↑ and ↓. The language: `presentation.filters`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input

from tui.presentation.sanitize import clean

if TYPE_CHECKING:
    from tui.dashboard.widgets.bars import TonedText
    from tui.presentation.filters.completion import Candidate
    from tui.presentation.filters.grammar import Problem

MAX_HISTORY = 50
"""Filters that are remembered."""
MAX_REMEMBERED_LENGTH = 500
"""Characters of a filter that is remembered."""

_PLACEHOLDER = "text  phase:failed  -tag:test  a|b  age>2h"


class FilterInput(Input):
    """Input of a filter. The text after the cursor is the first candidate, which Tab accepts."""

    virtual_size = Reactive(Size(0, 0))  # Textual's own arranges the whole screen again at each letter
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    def __init__(
        self,
        complete: Callable[[str], "Sequence[Candidate]"],
        history: Sequence[str],
        apply: Callable[[str], None],
    ) -> None:
        """`history`: the filters that ↑ recalls, the last one first. `apply` is called with each text."""
        super().__init__(id="filter", placeholder=_PLACEHOLDER, select_on_focus=False)
        self.cursor_blink = False
        self._complete = complete
        self._apply = apply
        self._texts = [*reversed(history), ""]
        """The filters that were used, and the text that is being typed."""
        self._at = len(self._texts) - 1

    def watch_value(self, value: str) -> None:
        """Apply the text. With a message, the letter and its matches would be painted one after the other."""
        self._apply(value)

    def suggest(self, candidates: "Sequence[Candidate]") -> None:
        """Show the first candidate behind the cursor. Textual's suggesters are a task and three messages a letter."""
        self._suggestion = candidates[0].text if candidates else ""

    def action_complete(self) -> None:
        """Accept the first candidate."""
        candidates = self._complete(self.value)
        if candidates and self.cursor_position == len(self.value):
            self.value = candidates[0].text
            self.cursor_position = len(self.value)

    def action_recall(self, step: int) -> None:
        """Show the filter before or after the one that is shown."""
        self._texts[self._at] = self.value
        self._at = max(0, min(self._at + step, len(self._texts) - 1))
        self.value = self._texts[self._at]
        self.cursor_position = len(self.value)

    def remember(self) -> tuple[str, ...]:
        """Add the text to the history, and return that with the last one first."""
        text = self.value.strip()[:MAX_REMEMBERED_LENGTH]
        earlier = [each for each in self._texts[:-1] if each and each != text]
        self._texts = [*[*earlier, *filter(None, [text])][-MAX_HISTORY:], ""]
        self._at = len(self._texts) - 1
        return tuple(reversed(self._texts[:-1]))


def filter_hint(
    problems: "Sequence[Problem]", unused: Sequence[str], candidates: "Sequence[Candidate]"
) -> "list[TonedText]":
    """Return the line below the input: an error, else what Tab completes, else what is missing, else the keys."""
    error = next((problem.text for problem in problems if not problem.is_incomplete), "")
    if error:
        return [(f" {clean(error)}", "failed")]
    if candidates:
        others = "  ".join(each.label for each in candidates[1:])
        return [(" Tab", "key"), (f" {candidates[0].label}  ", "strong"), (others, "quiet")]
    if unused:
        return [(f" {clean(unused[0])}", "warning")]
    if problems:
        return [(f" {clean(problems[0].text)}", "quiet")]
    keys = ("Tab", "complete"), ("↑ ↓", "history"), ("Enter", "keep"), ("Esc", "clear")
    return [(" ", "plain"), *(part for key, text in keys for part in ((key, "key"), (f" {text}   ", "quiet")))]
