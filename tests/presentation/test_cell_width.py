import pytest
from rich.cells import cell_len

from tui.presentation.cell_width import fit_to_width, text_width


@pytest.mark.parametrize("text", ["", "abc", "ü·", "季度回顾", "e\u0301x", "季\u0301\u0301ab", "a季b"])
@pytest.mark.parametrize("width", range(9))
def test_a_fitted_text_takes_exactly_its_width(text: str, width: int) -> None:
    assert text_width(text) == cell_len(text)
    assert cell_len(fit_to_width(text, width)) == width
    assert cell_len(fit_to_width(text, width, align_right=True)) == width


def test_a_cut_text_ends_with_an_ellipsis() -> None:
    assert fit_to_width("abcdef", 4) == "abc…"
    assert fit_to_width("ab", 4, align_right=True) == "  ab"
