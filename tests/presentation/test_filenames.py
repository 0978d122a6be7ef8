import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.presentation import filenames

DISPOSITION = "attachment; filename*=UTF-8''Ur%2FLaub%20%E6%97%A5.mp4; filename=\"plain.mp4\""


@pytest.mark.parametrize(
    ("titles", "language", "extension", "name"),
    [
        (("Spring launch",), "ur-PK", "mp4", "Spring launch.ur-PK.mp4"),
        (("Spring launch",), "Urdu (Pakistan)", "srt", "Spring launch.ur-PK.srt"),
        (("", "Q3 all-hands"), "", "mp4", "Q3 all-hands.mp4"),
        (("../../x",), "", "mp4", "x.mp4"),
        (("/etc/passwd",), "", "txt", "etc-passwd.txt"),
        (("..\\..\\x",), "", "mp4", "x.mp4"),
        (("CON",), "", "mp4", "CON_.mp4"),
        (("com1",), "de", "mp4", "com1_.de.mp4"),
        (("con.tact",), "", "mp4", "con_.tact.mp4"),
        (("aux.final.cut .v2",), "", "mp4", "aux_.final.cut .v2.mp4"),
        (("LPT1 .x",), "fr", "txt", "LPT1_ .x.fr.txt"),
        (("Contact",), "", "mp4", "Contact.mp4"),
        (("a\x00b",), "", "mp4", "ab.mp4"),
        (("\u202egpj.exe",), "", "mp4", "gpj.exe.mp4"),
        (("\x1b]0;owned\x07title",), "", "mp4", "title.mp4"),
        (("line\nbreak",), "", "mp4", "line break.mp4"),
        ((".bashrc",), "", "mp4", "bashrc.mp4"),
        (("-rf",), "", "mp4", "rf.mp4"),
        (("…", ". .", "/", "id-1"), "", "mp4", "….mp4"),
        ((". .", "/", "id-1"), "", "mp4", "id-1.mp4"),
        (("//", ""), "", "mp4", "result.mp4"),
        (("e\u0301",), "", "mp4", "\u00e9.mp4"),
        (("نمونہ",), "../../etc", "mp4", "نمونہ.e.mp4"),
        (("x",), "", "../sh", "x.bin"),
        (("x",), "", "part", "x.bin"),
        (("a" * 300,), "fr", "mp4", "a" * 233 + ".fr.mp4"),
        (("日" * 300,), "fr", "mp4", "日" * 77 + ".fr.mp4"),
    ],
)
def test_a_filename_is_made_of_title_language_and_extension(
    titles: tuple[str, ...], language: str, extension: str, name: str
) -> None:
    assert filenames.filename(titles, language, extension).numbered(1) == name


@given(st.lists(st.text(max_size=400), max_size=3), st.text(max_size=40), st.text(max_size=12), st.integers(1, 99))
def test_any_title_becomes_a_filename_and_never_a_path(
    titles: list[str], language: str, extension: str, number: int
) -> None:
    name = filenames.filename(titles, language, extension).numbered(number)
    assert len((name + filenames.PART_SUFFIX).encode()) <= 255
    assert name not in {"", ".", ".."}
    assert not set('/\\:*?"<>|') & set(name)
    assert not any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in name)
    assert not any(sign in name for sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert name[0] not in ". -"
    assert not name.endswith((" ", ".", filenames.PART_SUFFIX))


@pytest.mark.parametrize(
    ("url", "media", "name", "found"),
    [
        ("https://cdn/a/video.mp4?x=y.exe", "video/mp4", "", "mp4"),
        ("https://cdn/a/video.M4V", "video/mp4", "", "m4v"),
        ("https://cdn/a/download.php?id=3", "video/mp4; codecs=x", "", "mp4"),
        ("https://cdn/a/7", "", "contract.docx", "docx"),
        ("https://cdn/a/contract.idml", "application/octet-stream", "", "idml"),
        ("https://cdn/a/contract", "application/octet-stream", "", "document"),
        ("https://cdn/a/x.mp4%00.sh", "video/mp4", "", "mp4"),
        ("https://cdn/a/x.part", "", "", "document"),
        ("https://cdn/a/x.a-very-long-end", "", "", "document"),
        ("https://cdn", "", "\ufffd\ufffd", "document"),
    ],
)
def test_the_extension_comes_from_media_type_name_or_kind(url: str, media: str, name: str, found: str) -> None:
    assert filenames.extension("document", url, media, name) == found


def latin1(raw: bytes) -> str:
    return raw.decode("latin-1")


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=UTF-8''na%C3%AFve.mp4", "naïve.mp4"),
        ("attachment; filename=\"plain.mp4\"; filename*=utf-8'en'na%C3%AFve.mp4", "naïve.mp4"),
        ("attachment; filename*=ISO-8859-1''na%EFve.mp4", "naïve.mp4"),
        ('attachment; filename="a.mp4"', "a.mp4"),
        ("attachment;filename = a b.mp4 ; size=3", "a b.mp4"),
        ('attachment; filename="a;b=\\"c\\".mp4"', 'a;b="c".mp4'),
        ('attachment; filename="=?UTF-8?B?bmHDr3ZlLm1wNA==?="', "naïve.mp4"),
        ('attachment; filename="=?utf-8?Q?na=C3=AFve_?= =?utf-8?q?b.mp4?="', "naïve b.mp4"),
        (latin1('attachment; filename="naïve.mp4"'.encode()), "naïve.mp4"),
        (latin1('attachment; filename="中文.mp4"'.encode("gbk")), "中文.mp4"),
        (latin1('attachment; filename="naïve.mp4"'.encode("latin-1")), "naïve.mp4"),
        ('attachment; filename="na%C3%AFve.mp4"', "naïve.mp4"),
        ('attachment; filename="100%.mp4"', "100%.mp4"),
        ('attachment; filename="../../x.mp4"', "x.mp4"),
        ('attachment; filename="C:\\tmp\\x.mp4"', "x.mp4"),
        (DISPOSITION, "Laub 日.mp4"),
        ("attachment; filename*=bogus''%ff%fe", ""),
        ('attachment; filename="=?none?B?YQ==?="', "=?none?B?YQ==?="),
        ("inline", ""),
        ("", ""),
        (f'attachment; filename="{";" * 95_000}', ""),
        (f'attachment; {"x" * 1024}; filename="a.mp4"', ""),
    ],
)
def test_a_disposition_gives_the_name_in_every_form_that_stores_send(disposition: str, name: str) -> None:
    assert filenames.disposition_filename(disposition) == name


@given(st.text() | st.text("filename*=;\"\\ %'?BQutf-8", max_size=1200))
def test_no_content_disposition_raises_or_gives_a_path(text: str) -> None:
    for disposition in (text, f'attachment; filename="{text}"', f"attachment; filename*=utf-8''{text}"):
        name = filenames.disposition_filename(disposition)
        assert not {"/", "\\"} & set(name)
        filenames.extension("video", "https://cdn/x", "", name)
