import tomllib

import pytest

from tui.storage.watchlist.toml_blocks import (
    BOM,
    TextEdit,
    apply_edits,
    blocks,
    first_mention,
    line_at,
    line_end,
    statements,
)

TRICKY = r'''
top = 1  # [[job]]
"quoted # key" . 'and = this' = [ "]", # ]
  """
[[job]]
""""", { a = "}" }, '#' ]
date = 1979-05-27 07:32:00Z # after
[[job]] # first
id = """
[[job]]
\""" "" """""
empty = ""
literal = §
# no comment [[job]]§''
path = 'C:\'
nest = [
  [ 1, [2, "[["], ], # ]]

  # a comment
]
[job . extra]
x.y = {z = [1]}
  [[ job."parts" ]]
  n = 1

# of the next
[other]
id = "none of ours"
[["\u006aob"]]
id = "second"
[job.sub]'''.replace("§", "'''")


def test_the_tricky_text_is_toml() -> None:
    assert [job["id"][:6] for job in tomllib.loads(TRICKY)["job"]] == ["[[job]", "second"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", BOM])
def test_blocks_are_found_where_tomllib_finds_tables(ending: str, mark: str) -> None:
    text = mark + TRICKY.replace("\n", ending)
    first, second = blocks(text, "job")
    assert text[first.start : first.end].startswith("[[job]] # first")
    assert text[first.start : first.end].endswith(f"  n = 1{ending}")
    assert [statement.path for statement in first.keys] == [("id",), ("empty",), ("literal",), ("path",), ("nest",)]
    assert text[second.start : second.end] == f'[["\\u006aob"]]{ending}id = "second"{ending}[job.sub]'
    assert [line_at(text, block.start) for block in (first, second)] == [first.line, second.line]


def test_every_value_is_found_completely() -> None:
    for statement in statements(TRICKY):
        start, end = statement.value_span
        if not statement.bracket:
            tomllib.loads(f"v = {TRICKY[start:end]}")
    values = {s.path[-1]: TRICKY[slice(*s.value_span)] for s in statements(TRICKY) if not s.bracket}
    assert values["top"] == "1"
    assert values["date"] == "1979-05-27 07:32:00Z"
    assert values["path"] == "'C:\\'"
    assert values["empty"] == '""'


def test_statements_cover_all_but_comments_and_blank_lines() -> None:
    covered = "".join(TRICKY[s.start : s.end] for s in statements(TRICKY))
    assert tomllib.loads(covered) == tomllib.loads(TRICKY)
    position = 0
    for statement in statements(TRICKY):
        between = TRICKY[position : statement.start]
        assert all(not line.strip() or line.lstrip().startswith("#") for line in between.split("\n"))
        position = statement.end


def test_a_mention_is_a_header_or_a_top_level_key() -> None:
    text = "# job\nx = 'job'\n[other]\njob = 1\n[job.x]\n"
    assert line_at(text, first_mention(text, "job")) == 5
    assert first_mention("a = 1\njob.x = 1\n", "job") == 6
    assert first_mention("", "job") == 0


def test_insertions_at_one_offset_keep_their_order() -> None:
    assert (
        apply_edits("abc", [TextEdit(3, 3, "!"), TextEdit(1, 2, "B"), TextEdit(1, 1, "-"), TextEdit(3, 3, "?")])
        == "a-Bc!?"
    )
    assert apply_edits("abc", []) == "abc"


@pytest.mark.parametrize(
    ("text", "end"), [("", "\n"), ("a", "\n"), ("\n", "\n"), ("a\r\nb\n", "\r\n"), ("a\nb\r\n", "\n")]
)
def test_the_line_end_is_that_of_the_first_line(text: str, end: str) -> None:
    assert line_end(text) == end
