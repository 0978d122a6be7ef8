"""Line widgets: widgets of lines alone, without border, padding and transparency.

Textual's own rendering passes through all of those, asks every ancestor for its colours, and filters each line, for
each widget and whatever was repainted. Here a line is drawn once, and cached until it is refreshed.
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
    """Widget whose `render_line` returns the whole line, in its full width."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self._cached_strips: dict[int, Strip] = {}
        self._cached_for: tuple[Size, Sequence[LineFilter]] = Size(), ()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines, drawn unless they are cached."""
        drawn_for = self.size, self.get_line_filters()
        if drawn_for != self._cached_for:
            self._cached_for = drawn_for
            self._cached_strips.clear()
        for y in crop.line_range:
            if y not in self._cached_strips:
                self._cached_strips[y] = self._apply_filters(self.render_line(y))
        strips = [self._cached_strips[y] for y in crop.line_range]
        is_full_width = crop.column_span == (0, self.size.width)
        return strips if is_full_width else [strip.crop(*crop.column_span) for strip in strips]

    def _apply_filters(self, strip: Strip) -> Strip:
        for each in self._cached_for[1]:
            strip = strip.apply_filter(each, self.background_colors[1])
        return strip

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Discard the cache of these lines, or of all, and redraw them."""
        if regions:
            for y in (y for region in regions for y in region.line_range):
                self._cached_strips.pop(y, None)
        else:
            self._cached_strips.clear()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """Discard the cache after a change of the theme."""
        super().notify_style_update()
        self._cached_strips.clear()


class TextPage(LineWidget):
    """Selectable text that redraws changed lines only."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's own name for it
        super().__init__(id=id)
        self._lines: list[Content] = []
        self._measured_width: tuple[int, bool] | None = None
        """Width of the last measurement, and whether a line is wider."""

    def render(self) -> Content:
        """Return the text."""
        return Content("\n").join(self._lines)

    def set_text(self, content: Iterable[Content]) -> None:
        """Replace the text by these contents, one below the other.

        The screen's layout is updated only if the height changes: it takes longer than everything else of a key press.
        """
        before, self._measured_width = self._lines, None
        self._lines = [line for each in content for line in each.split(allow_blank=True)]
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
        """Whether a line is wider than the widget. Then Textual wraps and draws the text."""
        width = self.size.width
        if self._measured_width is None or self._measured_width[0] != width:
            self._measured_width = width, any(line.cell_length > width for line in self._lines)
        return self._measured_width[1]

    def render_line(self, y: int) -> Strip:
        """Return a line. Textual draws it if the text is wrapped or selected."""
        strip = super().render_line(y) if self._is_drawn_by_textual(y) else Strip(self._segments(y))
        return strip.adjust_cell_length(self.size.width, self.visual_style.rich_style)

    def _is_drawn_by_textual(self, y: int) -> bool:
        return self._needs_wrapping or self.text_selection is not None or y >= len(self._lines)

    def _segments(self, y: int) -> Iterator[Segment]:
        """Yield the line's segments with their offset in the text, by which the mouse selects."""
        ground, x = self.visual_style, 0
        parse = cast("App[None]", self.app).stylesheet.parse_style  # pyright: ignore[reportUnknownMemberType]
        for text, style in self._lines[y].render(ground, end="", parse_style=parse):
            yield Segment(text, (ground + style).rich_style_with_offset(x, y))
            x += len(text)


def _looks_same(one: Content | None, other: Content | None) -> bool:
    """Return whether both look the same. Equality of Content ignores the colours."""
    return one is not None and other is not None and one == other and one.spans == other.spans
