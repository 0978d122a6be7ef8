"""Text page: it draws changed lines only, and every cell as Textual draws the same text."""

from random import Random

import pytest
from rich.segment import Segment
from textual.app import App
from textual.content import Content
from textual.geometry import Region
from textual.selection import Selection
from textual.widget import Widget
from textual.widgets import Static

from tui.dashboard.widgets.line_widget import TextPage

WORDS = ["running", "for", "2m05s", "配音", "ویڈیو", "", "https://cdn.test/a-long-link?X-Signature=ab", "e\u0301te"]
STYLES = ["bold", "$accent", "dim", "$error reverse"]


class Beside(App[None]):
    """A page above a Static of the same width."""

    CSS = "TextPage, Static { width: 100%; height: auto; background: $surface; }"

    def compose(self):
        yield TextPage(id="ours")
        yield Static(id="theirs", markup=False)


def line(random: Random, most: int) -> Content:
    words = (random.choice(WORDS) for _ in range(random.randrange(most)))
    parts = ((f"{word} ", random.choice(STYLES)) if random.random() < 0.5 else f"{word} " for word in words)
    return Content.assemble(*parts)


def another(before: Content, random: Random, most: int) -> Content:
    """Another line, or the same words in another style."""
    return Content.styled(before.plain, random.choice(STYLES)) if random.random() < 0.3 else line(random, most)


def drawn(widget: Widget) -> list[list[tuple]]:
    """Each line's cells, with what a terminal gets of their style and where the mouse finds them in the text."""
    strips = widget.render_lines(Region(0, 0, *widget.size))
    return [[cell for segment in strip for cell in cells(segment)] for strip in strips]


def cells(segment: Segment):
    style = segment.style
    offset = style.meta.get("offset", (0, 0))
    for place, sign in enumerate(segment.text):
        where = (offset[0] + place, offset[1]) if "offset" in style.meta else None
        seen = (style.color, style.bold, style.dim) if sign != " " or style.reverse else None
        yield sign, seen, style.bgcolor, style.reverse, where


@pytest.mark.parametrize("most", [5, 16])
@pytest.mark.parametrize("seed", range(2))
async def test_a_text_page_looks_like_a_static_with_the_same_text(seed: int, most: int):
    random, app = Random(seed), Beside()
    lines = [Content("")]
    async with app.run_test(size=(100, 40)) as pilot:
        ours, theirs = app.query_one(TextPage), app.query_one(Static)
        for _ in range(40):
            change = random.random()
            if change < 0.2:
                lines = [line(random, most) for _ in range(random.randrange(1, 9))]
            elif change < 0.3:
                await pilot.resize_terminal(random.randrange(50, 140), 40)
            elif change < 0.4:
                chosen = random.random() < 0.5
                app.screen.selections = {each: Selection(None, None) for each in (ours, theirs)} if chosen else {}
            else:
                lines = [another(each, random, most) if random.random() < 0.3 else each for each in lines]
            text = Content("\n").join(lines)
            ours.set_text([Content("\n").join(lines[:2]), *lines[2:]])
            theirs.update(text)
            await pilot.pause()
            assert ours.size == theirs.size
            assert drawn(ours) == drawn(theirs)


async def test_an_unchanged_line_is_not_drawn_again():
    app = Beside()
    async with app.run_test(size=(100, 40)) as pilot:
        page = app.query_one(TextPage)
        page.set_text([Content("first\nsecond\nthird")])
        await pilot.pause()
        first, second, third = page.render_lines(Region(0, 0, 100, 3))
        page.set_text([Content("first\nanother"), Content("third")])
        await pilot.pause()
        again = page.render_lines(Region(0, 0, 100, 3))
        assert again[0] is first
        assert again[2] is third
        assert again[1].text.rstrip() == "another" != second.text
