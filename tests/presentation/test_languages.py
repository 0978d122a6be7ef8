import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.presentation import languages
from tui.presentation.languages import LANGUAGE_CODES, QUALIFIER_CODES


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Urdu (Pakistan)", "ur-PK"),
        ("urdu (PAKISTAN)", "ur-PK"),
        ("French", "fr"),
        ("es", "es"),
        ("zh-Hans", "zh-Hans"),
        ("zh-Hans-CN", "zh-Hans"),
        ("es_MX", "es-MX"),
        ("Lao", "lo"),
        ("Chinese (Mandarin, Simplified)", "zh-Hans"),
        ("Chinese (Taiwanese Mandarin, Traditional)", "zh-TW"),
        ("Chinese (Cantonese, Traditional)", "yue"),
        ("Serbian (Latin, Serbia)", "sr-Latn"),
        ("Norwegian Bokmål (Norway)", "nb-NO"),
        ("Burmese (Myanmar)", "my-MM"),
        ("Spanish (Latin America)", "es-419"),
        ("Filipino (Philippines)", "fil-PH"),
        ("Spanish (Elsewhere)", "es"),
        ("English - Your Accent", "English"),
        ("Klingon (Qo'noS)", "Klingon"),
        ("日本語です", "日本語"),
        ("", ""),
    ],
)
def test_a_language_code_is_its_tag_or_its_first_letters(name: str, short: str):
    assert languages.language_code(name) == short


@given(st.sampled_from(sorted(LANGUAGE_CODES)), st.sampled_from(sorted(QUALIFIER_CODES)))
def test_every_known_language_and_region_has_a_tag(language: str, region: str):
    tag = languages.language_code(f"{language.title()} ({region.title()})")
    assert tag.split("-")[0] == LANGUAGE_CODES[language].split("-")[0]
    assert len(tag) <= 7


@given(st.text(st.characters(categories=["L", "N", "P", "Z"])))
@example("000000𝍠")
def test_a_language_code_is_never_wider_than_its_column(name: str):
    assert cell_len(languages.language_code(name)) <= 7
