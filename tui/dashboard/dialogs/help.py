"""Help: keys from the command table, legend of the signs, columns of the table, grammar of the filter."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from tui.commands import GROUPS, Command, key_label
from tui.dashboard.dialogs.dialog import TextDialog
from tui.dashboard.widgets.badges import HEALTH_TEXTS, health_badge
from tui.dashboard.widgets.detail_pages import DIALOG_WIDTH, wrap_hanging
from tui.presentation.columns import EMPTY_CELL, Glyphs, Tone, phase_tone
from tui.presentation.filters.reference import GRAMMAR, field_rules
from tui.presentation.table_layout import COLUMN_TYPES

COLUMN_WIDTH = 55
"""Cells of a column of the help."""
COLUMN_GAP = 3
MAX_COLUMNS = 3
TERM_WIDTH = 12
"""Cells of keys, signs and filter terms."""
FRAME_WIDTH = 5
"""Cells of border, padding and scrollbar."""


class Entry(NamedTuple):
    """One line: a key, sign or filter term, its colour, and what it means."""

    term: str
    colour: str
    text: str


class Section(NamedTuple):
    """Entries under a title."""

    title: str
    entries: Sequence[Entry]


class HelpScreen(TextDialog):
    """Help in as many columns as the terminal has room for. A search leaves the entries that match."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", show=False),
        Binding("q,question_mark,f1,enter", "dismiss", show=False),
        Binding("slash", "search", show=False),
    ]

    def __init__(self, commands: tuple[Command, ...], glyphs: Glyphs) -> None:
        super().__init__()
        self._sections = [
            *_key_sections(commands),
            _phase_section(glyphs),
            _mark_section(glyphs),
            _account_section(glyphs),
            _column_section(),
            *_filter_sections(),
        ]

    def compose(self) -> ComposeResult:
        """Yield one text per column."""
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = Content("Help")
            dialog.border_subtitle = Content("/: search · Esc: close")
            search = Input(placeholder="search the help", id="help-search", compact=True)
            search.display = False
            yield search
            with Horizontal(id="help-columns"):
                for _ in range(MAX_COLUMNS):
                    yield Static(classes="help-column", markup=False)

    def on_mount(self) -> None:
        """Let the text scroll with the focus; a blinking cursor would repaint forever."""
        self.query_one(Input).cursor_blink = False
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        """Distribute the sections over as many columns as fit."""
        self._show_sections()

    @on(Input.Changed)
    def _show_sections(self) -> None:
        sections = list(_matching(self._sections, self.query_one(Input).value))
        room = self.size.width - FRAME_WIDTH
        count = max(1, min(MAX_COLUMNS, (room + COLUMN_GAP) // (COLUMN_WIDTH + COLUMN_GAP)))
        width = min(room, DIALOG_WIDTH) if count == 1 else COLUMN_WIDTH
        all_columns = distribute([_section_lines(section, width) for section in self._sections], count)
        columns = distribute([_section_lines(section, width) for section in sections], len(all_columns))
        columns = columns or [[Content("Nothing matches")]]
        for place, static in enumerate(self.query(".help-column").results(Static)):
            static.display = place < len(columns)
            static.styles.width = width + (COLUMN_GAP if place + 1 < len(columns) else 0)
            static.update(Content("\n").join(columns[place] if static.display else []))
        self.query_one(".dialog").styles.width = len(all_columns) * (width + COLUMN_GAP) - COLUMN_GAP + FRAME_WIDTH

    def action_search(self) -> None:
        """Open the search."""
        self.query_one(Input).display = True
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _end_search(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Close the search, else the help."""
        search = self.query_one(Input)
        if not search.display:
            self.dismiss()
            return
        search.value, search.display = "", False
        self._end_search()


def _matching(sections: Sequence[Section], text: str) -> Iterator[Section]:
    """Yield the sections with the entries that have every word of the text, in key, meaning or section title."""
    words = text.lower().split()
    for section in sections:
        found = [
            entry
            for entry in section.entries
            if all(word in f"{entry.term} {entry.text} {section.title}".lower() for word in words)
        ]
        if found:
            yield Section(section.title, found)


def distribute(sections: Sequence[list[Content]], count: int) -> list[list[Content]]:
    """Return the lines of at most `count` columns, as short as possible; sections stay whole and in order."""
    height = max(map(len, sections), default=0)
    while len(columns := _fill(sections, height)) > count:
        height += 1
    return columns


def _fill(sections: Sequence[list[Content]], height: int) -> list[list[Content]]:
    columns: list[list[Content]] = []
    for lines in sections:
        if columns and len(columns[-1]) + 1 + len(lines) <= height:
            columns[-1] += [Content(""), *lines]
        else:
            columns.append([*lines])
    return columns


def _section_lines(section: Section, width: int) -> list[Content]:
    lines = [Content.styled(section.title, "bold")]
    for term, colour, text in section.entries:
        wrapped = wrap_hanging(text, width - TERM_WIDTH, TERM_WIDTH)
        lines += Content.assemble((f"{term:<{TERM_WIDTH}}", colour), wrapped).split("\n", allow_blank=True)
    return lines


def _key_sections(commands: Sequence[Command]) -> list[Section]:
    return [
        Section(
            group,
            [
                Entry(" ".join(map(key_label, command.keys)), "$accent", command.help)
                for command in commands
                if command.group == group
            ],
        )
        for group in GROUPS
    ]


def _phase_section(glyphs: Glyphs) -> Section:
    """Return the phases; those with the same glyph share a line."""
    entries: dict[str, Entry] = {}
    names = [(glyph, phase_tone(phase), phase.replace("_", " ")) for phase, glyph in glyphs.phases.items()]
    for glyph, tone, name in (*names, (glyphs.doubtful, Tone.WARNING, "unknown status, outdated")):
        before = entries.get(glyph)
        entries[glyph] = Entry(glyph, f"$job-{tone}", f"{before.text}, {name}" if before is not None else name)
    return Section("Phases", list(entries.values()))


def _mark_section(glyphs: Glyphs) -> Section:
    marks = (
        (glyphs.changed, Tone.RUNNING, "phase changed in the last 8 s"),
        (glyphs.marked, Tone.WARNING, "marked"),
        (glyphs.muted, Tone.WARNING, "muted"),
        ("~", Tone.QUIET, "estimate"),
        ("!", Tone.WARNING, "link expires soon"),
        (glyphs.download, Tone.DONE, "downloading, or downloaded"),
        (EMPTY_CELL, Tone.QUIET, "no value"),
    )
    return Section("Marks and values", [Entry(mark, f"$job-{tone}", text) for mark, tone, text in marks])


def _account_section(glyphs: Glyphs) -> Section:
    badges = ((health_badge(health, ascii_only=glyphs.ascii_only), text) for health, text in HEALTH_TEXTS.items())
    return Section("Accounts", [Entry(badge.glyph, f"$job-{badge.tone}", text) for badge, text in badges])


def _column_section() -> Section:
    """Return every column of the table, shown or not."""
    entries = [Entry(column.upper(), "$accent", kind.meaning) for column, kind in COLUMN_TYPES.items()]
    return Section("Columns", entries)


def _filter_sections() -> list[Section]:
    fields = [Entry(rule.form, "$accent", rule.meaning) for rule in field_rules()]
    return [
        Section("Filter", [Entry(rule.form, "$accent", rule.meaning) for rule in GRAMMAR]),
        Section("Fields of the filter", fields),
    ]
