"""An operation done to a watchlist's text, which leaves alone what the operation does not mean. It opens no file.

Every operation is planned twice: as edits of the text and as tables that are to come out of it. The edited text is
read again, and where it does not say exactly those tables, and all else as before, nothing is changed.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tui.domain.models import Job, Ref
from tui.storage.watchlist import toml_blocks
from tui.storage.watchlist.operations import Add, Operation, Outcome, Remove, Removed, Set
from tui.storage.watchlist.parser import Reading, Table, WatchlistError, document, job_of, jobs_of, ref_of, tables_of
from tui.storage.watchlist.toml_blocks import Block, Edit, Statement
from tui.storage.watchlist.toml_values import job_block, job_table, literal, toml_value


class Change(NamedTuple):
    """A watchlist after an operation."""

    text: str
    reading: Reading
    outcome: Outcome


class _Page(NamedTuple):
    """A watchlist's text and what stands where in it."""

    text: str
    content: Table
    reading: Reading
    tables: list[Table]
    blocks: list[Block]
    """One for each table; fewer where jobs are written inline."""

    @property
    def top(self) -> int:
        """Where the text starts, behind a BOM."""
        return len(toml_blocks.BOM) if self.text.startswith(toml_blocks.BOM) else 0

    def firsts(self) -> dict[Ref, int]:
        """The index of each job's block, the one that counts."""
        return {ref_of(table): index for index, table in reversed([*enumerate(self.tables)])}


class _Plan(NamedTuple):
    edits: list[Edit]
    tables: list[Table]
    """What the array `job` is to be."""
    outcome: Outcome


def apply(text: str, operation: Operation) -> tuple[str, Outcome]:
    """The text with the operation done, and what that was. Raises WatchlistError as `perform` does."""
    change = perform(text, operation)
    return change.text, change.outcome


def perform(text: str, operation: Operation) -> Change:
    """Do the operation to the text.

    Raises WatchlistError where the text is no watchlist, where an added job is none, or where the edited text would
    not say what is meant (`job = [ … ]` inline, a sub-table away from its block).
    """
    content = document(text)
    page = _Page(text, content, jobs_of(content, text), tables_of(content, text), toml_blocks.blocks(text, "job"))
    plan = _planned(page, operation)
    if not plan.edits:
        return Change(text, page.reading, plan.outcome)
    changed = toml_blocks.edited(text, plan.edits)
    return Change(changed, _checked(page, plan, changed), plan.outcome)


def _planned(page: _Page, operation: Operation) -> _Plan:
    if isinstance(operation, Add):
        return _add(page, operation.jobs)
    if len(page.blocks) < len(page.tables):
        raise _unsafe(page)
    if isinstance(operation, Remove):
        return _remove(page, operation.refs)
    return _set(page, operation) if isinstance(operation, Set) else _restore(page, operation.removed)


def _checked(page: _Page, plan: _Plan, changed: str) -> Reading:
    """What the changed text says. Raises WatchlistError where that is not what was meant."""
    meant = {key: value for key, value in page.content.items() if key != "job"}
    if plan.tables:
        meant["job"] = plan.tables
    try:
        content = document(changed)
    except WatchlistError:
        content = None
    if content is None or content != meant:
        raise _unsafe(page, plan.edits[0].start if page.blocks else None)
    return jobs_of(content, changed)


def _unsafe(page: _Page, start: int | None = None) -> WatchlistError:
    """The refusal, naming the line at or below `start`; None: the jobs are no blocks, and it is theirs."""
    place = toml_blocks.first_mention(page.text, "job") if start is None else toml_blocks.blanks_after(page.text, start)
    return WatchlistError(
        "nothing was written, since more than the job's own block would change: "
        "change it in an editor, or write each job as one block under [[job]]",
        line=toml_blocks.line_at(page.text, place),
    )


def _add(page: _Page, jobs: tuple[Job, ...]) -> _Plan:
    known = {job.ref for job in page.reading.jobs}
    new: dict[Ref, Table] = {}
    already: dict[Ref, None] = {}
    for job in jobs:
        if job.ref in known or job.ref in new:
            already[job.ref] = None
        else:
            new[job.ref] = _good_table(job)
    outcome = Outcome(added=tuple(new), already=tuple(already))
    if not new:
        return _Plan([], page.tables, outcome)
    end, line_end = len(page.text), toml_blocks.line_end(page.text)
    written = _gap(page) + line_end.join(job_block(table, line_end) for table in new.values())
    return _Plan([Edit(end, end, written)], [*page.tables, *new.values()], outcome)


def _good_table(job: Job) -> Table:
    table = job_table(job)
    try:
        job_of(table)
    except ValueError as error:
        raise WatchlistError(f"{str(job.ref)!r} cannot be added: {error}") from error
    return table


def _gap(page: _Page) -> str:
    """What makes the end of the text a blank line, or its start."""
    end, line_end = len(page.text), toml_blocks.line_end(page.text)
    if end == page.top or toml_blocks.blanks_before(page.text, end, page.top) < end:
        return ""
    return line_end if page.text.endswith("\n") else line_end * 2


def _remove(page: _Page, refs: tuple[Ref, ...]) -> _Plan:
    wanted, known = dict.fromkeys(refs), page.firsts()
    cut: list[Removed] = []
    edits: list[Edit] = []
    after: Ref | None = None
    below, cursor, top = 0, page.top, page.top
    for index, (table, block) in enumerate(zip(page.tables, page.blocks, strict=True)):
        ref = ref_of(table)
        if ref in wanted:
            start, end = _with_spare_blanks(page.text, block, cursor, top)
            top = end if start == top else top
            below += page.text.count("\n", cursor, start)
            cut.append(Removed(ref, page.text[start:end], after, below))
            edits.append(Edit(start, end, ""))
            cursor = end
        elif known[ref] == index:
            after, below, cursor = ref, 0, block.end
    outcome = Outcome(
        removed=tuple(ref for ref in wanted if ref in known),
        absent=tuple(ref for ref in wanted if ref not in known),
        cut=tuple(cut),
    )
    return _Plan(edits, [table for table in page.tables if ref_of(table) not in wanted], outcome)


def _with_spare_blanks(text: str, block: Block, floor: int, top: int) -> tuple[int, int]:
    """What goes with a block: the blank lines above it, where more follow or the text ends; at `top` those below."""
    behind = toml_blocks.blanks_after(text, block.end)
    if behind == block.end < len(text):
        return block.start, block.end
    start = toml_blocks.blanks_before(text, block.start, floor)
    return start, behind if start == block.start == top else block.end


def _set(page: _Page, operation: Set) -> _Plan:
    firsts, jobs = page.firsts(), {job.ref: job for job in page.reading.jobs}
    tables, edits = list(page.tables), list[Edit]()
    changed, already, absent = list[Ref](), list[Ref](), list[Ref]()
    for ref in dict.fromkeys(operation.refs):
        if ref not in firsts:
            absent.append(ref)
            continue
        job, index = jobs[ref], firsts[ref]
        changes = {key: value for key, value in operation.changes.items() if value != getattr(job, key)}
        if not changes:
            already.append(ref)
            continue
        changed.append(ref)
        edits += _block_edits(page.text, page.blocks[index], changes)
        written = {key: toml_value(value) for key, value in changes.items() if value}
        tables[index] = {key: value for key, value in tables[index].items() if key not in changes} | written
    return _Plan(edits, tables, Outcome(changed=tuple(changed), already=tuple(already), absent=tuple(absent)))


def _block_edits(text: str, block: Block, changes: Mapping[str, object]) -> Iterator[Edit]:
    """A value is replaced where it stands, a key is taken out with its line, a new one follows the block's last."""
    there = {statement.path[0]: statement for statement in block.keys}
    last = [statement for statement in block.keys if changes.get(statement.path[0], True)][-1]
    lines = text[last.start : last.end].rstrip("\r\n")
    margin, behind = lines[: len(lines) - len(lines.lstrip(" \t"))], last.start + len(lines)
    for key, value in changes.items():
        if not value:
            yield Edit(there[key].start, there[key].end, "")
        elif key in there:
            yield Edit(*there[key].value, literal(value))
        else:
            yield Edit(behind, behind, f"{toml_blocks.line_end(text)}{margin}{key} = {literal(value)}")


def _restore(page: _Page, removed: tuple[Removed, ...]) -> _Plan:
    firsts, line_end, end = page.firsts(), toml_blocks.line_end(page.text), len(page.text)
    wanted = [each for each in removed if each.ref not in firsts]
    placed = sorted(zip(_places(page, wanted), wanted, strict=True), key=lambda pair: pair[0])
    edits: list[Edit] = []
    for place, each in placed:
        lead = line_end if place == end > page.top and not page.text.endswith("\n") else ""
        lead = _gap(page) if each.after and each.after not in firsts else lead
        tail = "" if each.text.endswith("\n") or (place == end and each is placed[-1][1]) else line_end
        edits.append(Edit(place, place, f"{lead}{each.text}{tail}"))
    starts = [block.start for block in page.blocks]
    tables = list(page.tables)
    for place, each in reversed(placed):
        index = bisect_left(starts, place)
        tables[index:index] = tables_of(document(each.text), each.text)
    outcome = Outcome(
        added=tuple(dict.fromkeys(each.ref for each in wanted)),
        already=tuple(dict.fromkeys(each.ref for each in removed if each.ref in firsts)),
    )
    return _Plan(edits, tables, outcome)


def _places(page: _Page, wanted: list[Removed]) -> Iterator[int]:
    """Where each block goes: as many lines below its job as it stood, but above the next job; without its job, last."""
    firsts, size = page.firsts(), len(page.text)
    heads = [*sorted(page.blocks[index].start for index in firsts.values()), size]
    statements = list(toml_blocks.statements(page.text))
    for each in wanted:
        if each.after and each.after not in firsts:
            yield size
            continue
        place = page.blocks[firsts[each.after]].end if each.after else page.top
        limit = heads[bisect_left(heads, place)]
        for _ in range(each.below):
            place = min(limit, page.text.find("\n", place) + 1 or size)
        yield _between_tables(statements, place)


def _between_tables(statements: list[Statement], place: int) -> int:
    """`place`, or the nearest below it where a block can stand: within no table and above no sub-table of a job."""
    following = bisect_right(statements, place, key=lambda statement: statement.end)
    for statement in statements[following:]:
        sub_table = statement.path[0] == "job" and len(statement.path) > 1
        if statement.start >= place and statement.head and not sub_table:
            break
        place = statement.end
    return place
