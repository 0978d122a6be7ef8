"""An operation done to a watchlist's text, which leaves alone what the operation does not mean. It opens no file.

Every operation is planned twice: as edits of the text and as tables that are to come out of it. The edited text is
read again, and where it does not say exactly those tables, and all else as before, nothing is changed.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tui.domain.models import Job, Ref
from tui.storage.watchlist import toml_blocks
from tui.storage.watchlist.operations import Add, EditResult, Operation, Remove, RemovedBlock, Set
from tui.storage.watchlist.parser import (
    Table,
    WatchlistContent,
    WatchlistError,
    job_array,
    parse_job,
    parse_jobs,
    parse_toml,
    ref_of,
)
from tui.storage.watchlist.toml_blocks import Block, Statement, TextEdit
from tui.storage.watchlist.toml_values import job_block, job_table, toml_literal, toml_value


class EditedWatchlist(NamedTuple):
    """A watchlist after an operation."""

    text: str
    content: WatchlistContent
    result: EditResult


class _Document(NamedTuple):
    """A watchlist's text and what stands where in it."""

    text: str
    root: Table
    content: WatchlistContent
    tables: list[Table]
    blocks: list[Block]
    """One for each table; fewer where jobs are written inline."""

    @property
    def start(self) -> int:
        """Where the text starts, behind a BOM."""
        return len(toml_blocks.BOM) if self.text.startswith(toml_blocks.BOM) else 0

    def index_by_ref(self) -> dict[Ref, int]:
        """The index of each job's block, the one that counts."""
        return {ref_of(table): index for index, table in reversed([*enumerate(self.tables)])}


class _EditPlan(NamedTuple):
    edits: list[TextEdit]
    tables: list[Table]
    """What the array `job` is to be."""
    result: EditResult


def apply_to_text(text: str, operation: Operation) -> tuple[str, EditResult]:
    """The text with the operation done, and what that was. Raises WatchlistError as `perform` does."""
    change = apply(text, operation)
    return change.text, change.result


def apply(text: str, operation: Operation) -> EditedWatchlist:
    """Do the operation to the text.

    Raises WatchlistError where the text is no watchlist, where an added job is none, or where the edited text would
    not say what is meant (`job = [ … ]` inline, a sub-table away from its block).
    """
    content = parse_toml(text)
    page = _Document(
        text, content, parse_jobs(content, text), job_array(content, text), toml_blocks.blocks(text, "job")
    )
    plan = _plan(page, operation)
    if not plan.edits:
        return EditedWatchlist(text, page.content, plan.result)
    changed = toml_blocks.apply_edits(text, plan.edits)
    return EditedWatchlist(changed, _validate(page, plan, changed), plan.result)


def _plan(document: _Document, operation: Operation) -> _EditPlan:
    if isinstance(operation, Add):
        return _add(document, operation.jobs)
    if len(document.blocks) < len(document.tables):
        raise _unsafe_edit_error(document)
    if isinstance(operation, Remove):
        return _remove(document, operation.refs)
    return _set(document, operation) if isinstance(operation, Set) else _restore(document, operation.blocks)


def _validate(document: _Document, plan: _EditPlan, changed: str) -> WatchlistContent:
    """What the changed text says. Raises WatchlistError where that is not what was meant."""
    meant = {key: value for key, value in document.root.items() if key != "job"}
    if plan.tables:
        meant["job"] = plan.tables
    try:
        content = parse_toml(changed)
    except WatchlistError:
        content = None
    if content is None or content != meant:
        raise _unsafe_edit_error(document, plan.edits[0].start if document.blocks else None)
    return parse_jobs(content, changed)


def _unsafe_edit_error(document: _Document, start: int | None = None) -> WatchlistError:
    """The refusal, naming the line at or below `start`; None: the jobs are no blocks, and it is theirs."""
    place = (
        toml_blocks.first_mention(document.text, "job")
        if start is None
        else toml_blocks.blank_run_end(document.text, start)
    )
    return WatchlistError(
        "nothing was written, since more than the job's own block would change: "
        "change it in an editor, or write each job as one block under [[job]]",
        line=toml_blocks.line_at(document.text, place),
    )


def _add(document: _Document, jobs: tuple[Job, ...]) -> _EditPlan:
    known = {job.ref for job in document.content.jobs}
    new: dict[Ref, Table] = {}
    already: dict[Ref, None] = {}
    for job in jobs:
        if job.ref in known or job.ref in new:
            already[job.ref] = None
        else:
            new[job.ref] = _validated_table(job)
    outcome = EditResult(added=tuple(new), unchanged=tuple(already))
    if not new:
        return _EditPlan([], document.tables, outcome)
    end, line_end = len(document.text), toml_blocks.line_end(document.text)
    written = _separator(document) + line_end.join(job_block(table, line_end) for table in new.values())
    return _EditPlan([TextEdit(end, end, written)], [*document.tables, *new.values()], outcome)


def _validated_table(job: Job) -> Table:
    table = job_table(job)
    try:
        parse_job(table)
    except ValueError as error:
        raise WatchlistError(f"{str(job.ref)!r} cannot be added: {error}") from error
    return table


def _separator(document: _Document) -> str:
    """What makes the end of the text a blank line, or its start."""
    end, line_end = len(document.text), toml_blocks.line_end(document.text)
    if end == document.start or toml_blocks.blank_run_start(document.text, end, document.start) < end:
        return ""
    return line_end if document.text.endswith("\n") else line_end * 2


def _remove(document: _Document, refs: tuple[Ref, ...]) -> _EditPlan:
    wanted, known = dict.fromkeys(refs), document.index_by_ref()
    cut: list[RemovedBlock] = []
    edits: list[TextEdit] = []
    after: Ref | None = None
    below, cursor, top = 0, document.start, document.start
    for index, (table, block) in enumerate(zip(document.tables, document.blocks, strict=True)):
        ref = ref_of(table)
        if ref in wanted:
            start, end = _block_with_blank_lines(document.text, block, cursor, top)
            top = end if start == top else top
            below += document.text.count("\n", cursor, start)
            cut.append(RemovedBlock(ref, document.text[start:end], after, below))
            edits.append(TextEdit(start, end, ""))
            cursor = end
        elif known[ref] == index:
            after, below, cursor = ref, 0, block.end
    outcome = EditResult(
        removed=tuple(ref for ref in wanted if ref in known),
        not_found=tuple(ref for ref in wanted if ref not in known),
        removed_blocks=tuple(cut),
    )
    return _EditPlan(edits, [table for table in document.tables if ref_of(table) not in wanted], outcome)


def _block_with_blank_lines(text: str, block: Block, lower_bound: int, top: int) -> tuple[int, int]:
    """What goes with a block: the blank lines above it, where more follow or the text ends; at `top` those below."""
    behind = toml_blocks.blank_run_end(text, block.end)
    if behind == block.end < len(text):
        return block.start, block.end
    start = toml_blocks.blank_run_start(text, block.start, lower_bound)
    return start, behind if start == block.start == top else block.end


def _set(document: _Document, operation: Set) -> _EditPlan:
    firsts, jobs = document.index_by_ref(), {job.ref: job for job in document.content.jobs}
    tables, edits = list(document.tables), list[TextEdit]()
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
        edits += _block_edits(document.text, document.blocks[index], changes)
        written = {key: toml_value(value) for key, value in changes.items() if value}
        tables[index] = {key: value for key, value in tables[index].items() if key not in changes} | written
    return _EditPlan(
        edits, tables, EditResult(changed=tuple(changed), unchanged=tuple(already), not_found=tuple(absent))
    )


def _block_edits(text: str, block: Block, changes: Mapping[str, object]) -> Iterator[TextEdit]:
    """A value is replaced where it stands, a key is taken out with its line, a new one follows the block's last."""
    there = {statement.path[0]: statement for statement in block.keys}
    last = [statement for statement in block.keys if changes.get(statement.path[0], True)][-1]
    lines = text[last.start : last.end].rstrip("\r\n")
    margin, behind = lines[: len(lines) - len(lines.lstrip(" \t"))], last.start + len(lines)
    for key, value in changes.items():
        if not value:
            yield TextEdit(there[key].start, there[key].end, "")
        elif key in there:
            yield TextEdit(*there[key].value_span, toml_literal(value))
        else:
            yield TextEdit(behind, behind, f"{toml_blocks.line_end(text)}{margin}{key} = {toml_literal(value)}")


def _restore(document: _Document, removed: tuple[RemovedBlock, ...]) -> _EditPlan:
    firsts, line_end, end = document.index_by_ref(), toml_blocks.line_end(document.text), len(document.text)
    wanted = [each for each in removed if each.ref not in firsts]
    placed = sorted(zip(_restore_offsets(document, wanted), wanted, strict=True), key=lambda pair: pair[0])
    edits: list[TextEdit] = []
    for place, each in placed:
        lead = line_end if place == end > document.start and not document.text.endswith("\n") else ""
        lead = _separator(document) if each.after and each.after not in firsts else lead
        tail = "" if each.text.endswith("\n") or (place == end and each is placed[-1][1]) else line_end
        edits.append(TextEdit(place, place, f"{lead}{each.text}{tail}"))
    starts = [block.start for block in document.blocks]
    tables = list(document.tables)
    for place, each in reversed(placed):
        index = bisect_left(starts, place)
        tables[index:index] = job_array(parse_toml(each.text), each.text)
    outcome = EditResult(
        added=tuple(dict.fromkeys(each.ref for each in wanted)),
        unchanged=tuple(dict.fromkeys(each.ref for each in removed if each.ref in firsts)),
    )
    return _EditPlan(edits, tables, outcome)


def _restore_offsets(document: _Document, wanted: list[RemovedBlock]) -> Iterator[int]:
    """Where each block goes: as many lines below its job as it stood, but above the next job; without its job, last."""
    firsts, size = document.index_by_ref(), len(document.text)
    heads = [*sorted(document.blocks[index].start for index in firsts.values()), size]
    statements = list(toml_blocks.statements(document.text))
    for each in wanted:
        if each.after and each.after not in firsts:
            yield size
            continue
        place = document.blocks[firsts[each.after]].end if each.after else document.start
        limit = heads[bisect_left(heads, place)]
        for _ in range(each.lines_after):
            place = min(limit, document.text.find("\n", place) + 1 or size)
        yield _next_table_boundary(statements, place)


def _next_table_boundary(statements: list[Statement], offset: int) -> int:
    """`place`, or the nearest below it where a block can stand: within no table and above no sub-table of a job."""
    following = bisect_right(statements, offset, key=lambda statement: statement.end)
    for statement in statements[following:]:
        sub_table = statement.path[0] == "job" and len(statement.path) > 1
        if statement.start >= offset and statement.bracket and not sub_table:
            break
        offset = statement.end
    return offset
