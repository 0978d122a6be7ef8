"""Width anchors: columns stay aligned whatever width a terminal gives a title."""

import pyte
import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from tui.dashboard.terminal.width_anchors import add_anchors, has_ambiguous_width, to_escape_codes
from tui.presentation.cell_width import fit_to_width
from tui.presentation.sanitize import clean

TITLES = [
    "ग्राहक सहायता परिचय",
    "👩\u200d👩\u200d👧 family",
    "❤\ufe0f heart",
    "🇩🇪 flag",
    "e\u0301te\u0301",
    "ไทยที่",
    "신제품 소개",
    "plain",
]


@pytest.mark.parametrize("title", TITLES)
def test_columns_after_a_title_of_ambiguous_width_are_aligned(title):
    screen = pyte.Screen(60, 3)
    stream = pyte.Stream(screen)
    stream.feed("x" * 60 + "\r")
    name = fit_to_width(title, 24)
    stream.feed(to_escape_codes("ab " + (add_anchors(name, 24, 3) if has_ambiguous_width(name) else name) + "|cd"))
    line = screen.buffer[0]
    assert [line[column].data for column in (27, 28, 29)] == ["|", "c", "d"]
    assert "x" not in [line[column].data for column in range(3, 27)], "nothing of what stood there before is left"


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("shown", [1, 5, 9, 16, 23])
def test_columns_after_a_cut_title_are_aligned_and_nothing_behind_is_cleared(title, shown):
    """As a dialog cuts it, in an update of the line or of what is left of the dialog."""
    name = fit_to_width(title, 24)
    whole = add_anchors(name, 24, 3) if has_ambiguous_width(name) else name
    cut = "".join(segment.text for segment in Strip([Segment(whole)], 24).crop(0, shown))
    for after in ("\x1b[1m|cd", "\x1b[2;1Hnext line"):
        screen = pyte.Screen(60, 3)
        stream = pyte.Stream(screen)
        stream.feed("x" * 60 + "\r")
        stream.feed(to_escape_codes(f"ab \x1b[3m{cut}\x1b[0m{after}"))
        line = [screen.buffer[0][column].data for column in range(60)]
        if after.endswith("|cd"):
            assert line[3 + shown : 6 + shown] == ["|", "c", "d"]
        assert "x" not in line[3 : 3 + shown]
        assert set(line[6 + shown :]) == {"x"}


@pytest.mark.parametrize("title", TITLES)
def test_a_dialog_that_covers_the_middle_of_a_title_is_aligned(title):
    name = fit_to_width(title, 24)
    strip = Strip([Segment(add_anchors(name, 24, 3))], 24)
    left, right = ("".join(segment.text for segment in strip.crop(*ends)) for ends in ((0, 9), (15, 24)))
    screen = pyte.Screen(60, 3)
    pyte.Stream(screen).feed(to_escape_codes(f"ab \x1b[3m{left}\x1b[0m|wxyz|\x1b[3m{right}\x1b[0m|cd"))
    line = [screen.buffer[0][column].data for column in range(60)]
    assert "".join(line[12:18]) == "|wxyz|"
    assert line[27:30] == ["|", "c", "d"]


@pytest.mark.parametrize("title", TITLES)
def test_an_anchor_has_zero_width(title):
    assert cell_len(add_anchors(fit_to_width(title, 24), 24, 3)) == 24


def test_clean_removes_anchors_from_a_services_text():
    assert to_escape_codes(clean(add_anchors("text", 4, 0))) == "text"


def test_an_incomplete_anchor_is_removed():
    whole = add_anchors("text", 4, 70)
    for cut in range(len(whole)):
        for half in (whole[:cut], whole[cut:]):
            assert set(to_escape_codes(half)) <= set("text\x1b[0123456789XG")
    assert to_escape_codes(whole[1:]) == "text\x1b[75G"
