"""Widgets of lines and nothing else: no border, no padding, nothing that shines through.

Textual's own way to a line leads past all those, asks every ancestor for its colours, and filters the line: again for
each widget, whatever was repainted on the screen. Here a line is drawn once, until it is refreshed.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Self, cast

from rich.segment import Segment
from textual.content import Content
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.app import App


class LineWidget(Widget):
    """A widget whose `render_line` gives all that stands in a line, to its full width."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self._cached_strips: dict[int, Strip] = {}
        self._cached_for: tuple[Size, Sequence[LineFilter]] = Size(), ()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines, drawn where none is kept."""
        drawn_for = self.size, self.get_line_filters()
        if drawn_for != self._cached_for:
            self._cached_for = drawn_for
            self._cached_strips.clear()
        for y in crop.line_range:
            if y not in self._cached_strips:
                self._cached_strips[y] = self._apply_filters(self.render_line(y))
        strips = [self._cached_strips[y] for y in crop.line_range]
        whole = crop.column_span == (0, self.size.width)
        return strips if whole else [strip.crop(*crop.column_span) for strip in strips]

    def _apply_filters(self, strip: Strip) -> Strip:
        for each in self._cached_for[1]:
            strip = strip.apply_filter(each, self.background_colors[1])
        return strip

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Has these lines, or all, drawn anew."""
        if regions:
            for y in (y for region in regions for y in region.line_range):
                self._cached_strips.pop(y, None)
        else:
            self._cached_strips.clear()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """The theme has changed: nothing that is kept is right."""
        super().notify_style_update()
        self._cached_strips.clear()


class TextPage(LineWidget):
    """A text that can be selected, and of which only the lines that say something else are drawn anew."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self._lines: list[Content] = []
        self._measured_width: tuple[int, bool] | None = None
        """The width for which it is known whether some line is wider, and whether one is."""

    def render(self) -> Content:
        """The text."""
        return Content("\n").join(self._lines)

    def set_text(self, content: Iterable[Content]) -> None:
        """Shows another text, whose pieces stand below each other.

        The screen is laid out anew only where it takes more or less room: that takes longer than all else of a key.
        """
        before, self._measured_width = self._lines, None
        self._lines = [line for piece in content for line in piece.split(allow_blank=True)]
        changed = [y for y, pair in enumerate(zip_longest(before, self._lines)) if not _looks_same(*pair)]
        width, height = self.size
        if not changed:
            return
        if (self.render().get_height({}, width) if self._needs_wrapping and width else len(self._lines)) != height:
            self.refresh(layout=True)
        elif self._needs_wrapping or len(before) != len(self._lines):
            self.refresh()
        else:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    @property
    def _needs_wrapping(self) -> bool:
        """Some line is wider than there is room: then Textual lays out and draws the text."""
        width = self.size.width
        if self._measured_width is None or self._measured_width[0] != width:
            self._measured_width = width, any(line.cell_length > width for line in self._lines)
        return self._measured_width[1]

    def render_line(self, y: int) -> Strip:
        """A line of the text; Textual draws it where it is to be wrapped, or is being selected."""
        strip = super().render_line(y) if self._is_drawn_by_textual(y) else Strip(self._segments(y))
        return strip.adjust_cell_length(self.size.width, self.visual_style.rich_style)

    def _is_drawn_by_textual(self, y: int) -> bool:
        return self._needs_wrapping or self.text_selection is not None or y >= len(self._lines)

    def _segments(self, y: int) -> Iterator[Segment]:
        """Each knows where it stands in the text: what the mouse selects is found by that."""
        ground, x = self.visual_style, 0
        parse = cast("App[None]", self.app).stylesheet.parse_style  # pyright: ignore[reportUnknownMemberType]
        for said, style in self._lines[y].render(ground, end="", parse_style=parse):
            yield Segment(said, (ground + style).rich_style_with_offset(x, y))
            x += len(said)


def _looks_same(one: Content | None, other: Content | None) -> bool:
    """They look the same; contents are equal where their texts are, whatever their colours."""
    return one is not None and other is not None and one == other and one.spans == other.spans
