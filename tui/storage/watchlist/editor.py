"""Editor for a watchlist's text: it applies an operation and leaves all other text as it is. It opens no file.

Every operation is planned twice: as edits of the text, and as the intended tables. The edited text is parsed again:
unless it holds exactly those tables and all else as before, nothing is changed. Of a plain text, whose lines stand for
themselves, it is enough to parse the blocks that differ.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from tui.domain.models import Job, Ref
from tui.storage.watchlist import toml_blocks
from tui.storage.watchlist.operations import Add, EditResult, Operation, Remove, RemovedBlock, Restore, Set, SetEach
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
from tui.storage.watchlist.plain_toml import parse_long, parse_plain, plain_heads
from tui.storage.watchlist.toml_blocks import Block, Statement, TextEdit
from tui.storage.watchlist.toml_values import job_block, job_table, secrets_table, toml_literal, toml_value


class EditedWatchlist(NamedTuple):
    """Watchlist after an operation."""

    text: str
    content: WatchlistContent
    result: EditResult


class _Document:
    """Text of a watchlist, parsed, with the positions of its blocks."""

    def __init__(self, text: str) -> None:
        """Parse the text. Raises WatchlistError."""
        self.text = text
        plain = parse_long(text.removeprefix(toml_blocks.BOM))
        self.is_plain = plain is not None
        self.root = parse_toml(text) if plain is None else plain
        self.content = parse_jobs(self.root, text)
        self.tables = job_array(self.root, text)

    @cached_property
    def blocks(self) -> list[Block]:
        """Blocks, one for each table; fewer if jobs are written inline. An addition needs none."""
        return toml_blocks.blocks(self.text, "job")

    @cached_property
    def heads(self) -> list[int]:
        """Offsets of the blocks of a plain text, and its end."""
        return [*plain_heads(self.text), len(self.text)]

    def block(self, index: int) -> Block:
        """Return the block of a table; of a plain text, without a search for the others."""
        if not self.is_plain:
            return self.blocks[index]
        return toml_blocks.blocks(self.text, "job", self.heads[index], self.heads[index + 1])[0]

    @property
    def start(self) -> int:
        """Offset of the text's start, after a BOM."""
        return len(toml_blocks.BOM) if self.text.startswith(toml_blocks.BOM) else 0

    def index_by_ref(self, wanted: Collection[Ref] | None = None) -> dict[Ref, int]:
        """Return the index of each job's block, of all jobs or these: the first one, if there are several."""
        return {
            ref_of(table): index
            for index, table in reversed([*enumerate(self.tables)])
            if wanted is None or (table["account"], table["id"]) in wanted
        }


class _EditPlan(NamedTuple):
    edits: list[TextEdit]
    tables: list[Table]
    """Intended content of the array `job`."""
    result: EditResult


def apply_to_text(text: str, operation: Operation) -> tuple[str, EditResult]:
    """Return the text with the operation applied, and the result. Raises WatchlistError as `apply` does."""
    edited = apply(text, operation)
    return edited.text, edited.result


def apply(text: str, operation: Operation) -> EditedWatchlist:
    """Apply the operation to the text.

    Raises WatchlistError if the text is no watchlist, if an added job is invalid, or if the edited text would differ
    from the intention (`job = [ … ]` inline, a sub-table away from its block).
    """
    document = _Document(text)
    plan = _plan(document, operation)
    if not plan.edits:
        return EditedWatchlist(text, document.content, plan.result)
    changed = toml_blocks.apply_edits(text, plan.edits)
    return EditedWatchlist(changed, _validate(document, plan, changed), plan.result)


def _plan(document: _Document, operation: Operation) -> _EditPlan:
    if isinstance(operation, Add):
        return _add(document, operation)
    if not document.is_plain and len(document.blocks) < len(document.tables):
        raise _unsafe_edit_error(document)
    if isinstance(operation, Remove):
        return _remove(document, operation.refs)
    return _restore(document, operation.blocks) if isinstance(operation, Restore) else _set(document, operation)


def _validate(document: _Document, plan: _EditPlan, changed: str) -> WatchlistContent:
    """Parse the changed text. Raises WatchlistError if it differs from the intended content."""
    if (edited := _validate_blocks(document, plan)) is not None:
        return edited
    intended = {key: value for key, value in document.root.items() if key != "job"}
    if plan.tables:
        intended["job"] = plan.tables
    try:
        content = parse_toml(changed)
    except WatchlistError:
        content = None
    if content is None or content != intended:
        raise _unsafe_edit_error(document, plan.edits[0].start if document.blocks else None)
    return parse_jobs(content, changed)


def _validate_blocks(document: _Document, plan: _EditPlan) -> WatchlistContent | None:
    """Parse the changed blocks of a plain text and the new ones; None: the whole text must be parsed."""
    known = len(document.tables)
    if not document.is_plain or document.content.problems or len(plan.tables) < known:
        return None
    jobs, edits = list(document.content.jobs), plan.edits
    changed = [index for index, table in enumerate(document.tables) if plan.tables[index] is not table]
    for index in changed:
        start, end = document.heads[index], document.heads[index + 1]
        own = [TextEdit(edit.start - start, edit.end - start, edit.text) for edit in edits if start < edit.end <= end]
        block = toml_blocks.apply_edits(document.text[start:end], own)
        if parse_plain(block) != {"job": [plan.tables[index]]} or not (block.endswith("\n") or index == known - 1):
            return None
        edits = [edit for edit in edits if not start < edit.end <= end]
        jobs[index] = parse_job(plan.tables[index])
    if edits:
        added = "".join(edit.text for edit in edits)
        is_at_end = all(edit.start == edit.end == len(document.text) for edit in edits)
        is_own_line = added[:1] in {"\n", "\r"} or document.text[document.start :][-1:] in {"\n", ""}
        if not (is_at_end and is_own_line) or parse_plain(added) != {"job": plan.tables[known:]}:
            return None
    jobs += map(parse_job, plan.tables[known:])
    return WatchlistContent(tuple(jobs), ())


def _unsafe_edit_error(document: _Document, start: int | None = None) -> WatchlistError:
    """Return the error, with the line at or below `start`, or of the jobs if they are not blocks (None)."""
    place = (
        toml_blocks.first_mention(document.text, "job")
        if start is None
        else toml_blocks.blank_run_end(document.text, start)
    )
    return WatchlistError(
        "nothing was written, because more than the job's block would change: "
        "edit the file, or write each job as one block under [[job]]",
        line=toml_blocks.line_at(document.text, place),
    )


def _add(document: _Document, operation: Add) -> _EditPlan:
    known = {job.ref for job in document.content.jobs}
    new: dict[Ref, Table] = {}
    unchanged: dict[Ref, None] = {}
    for job in operation.jobs:
        if job.ref in known or job.ref in new:
            unchanged[job.ref] = None
        else:
            secrets = secrets_table(operation.secrets.get(job.ref, {}))
            new[job.ref] = _validated_table(job) | ({"secrets": secrets} if secrets else {})
    result = EditResult(added=tuple(new), unchanged=tuple(unchanged))
    if not new:
        return _EditPlan([], document.tables, result)
    end, line_end = len(document.text), toml_blocks.line_end(document.text)
    written = _separator(document) + line_end.join(job_block(table, line_end) for table in new.values())
    return _EditPlan([TextEdit(end, end, written)], [*document.tables, *new.values()], result)


def _validated_table(job: Job) -> Table:
    table = job_table(job)
    try:
        parse_job(table)
    except ValueError as error:
        raise WatchlistError(f"{str(job.ref)!r} cannot be added: {error}") from error
    return table


def _separator(document: _Document) -> str:
    """Return the line ends that make the end of the text a blank line; none at its start."""
    end, line_end = len(document.text), toml_blocks.line_end(document.text)
    if end == document.start or toml_blocks.blank_run_start(document.text, end, document.start) < end:
        return ""
    return line_end if document.text.endswith("\n") else line_end * 2


def _remove(document: _Document, refs: tuple[Ref, ...]) -> _EditPlan:
    requested, known = dict.fromkeys(refs), document.index_by_ref()
    removed: list[RemovedBlock] = []
    edits: list[TextEdit] = []
    after: Ref | None = None
    lines_after, cursor, top = 0, document.start, document.start
    for index, (table, block) in enumerate(zip(document.tables, document.blocks, strict=True)):
        ref = ref_of(table)
        if ref in requested:
            start, end = _block_with_blank_lines(document.text, block, cursor, top)
            top = end if start == top else top
            lines_after += document.text.count("\n", cursor, start)
            removed.append(RemovedBlock(ref, document.text[start:end], after, lines_after))
            edits.append(TextEdit(start, end, ""))
            cursor = end
        elif known[ref] == index:
            after, lines_after, cursor = ref, 0, block.end
    result = EditResult(
        removed=tuple(ref for ref in requested if ref in known),
        not_found=tuple(ref for ref in requested if ref not in known),
        removed_blocks=tuple(removed),
    )
    return _EditPlan(edits, [table for table in document.tables if ref_of(table) not in requested], result)


def _block_with_blank_lines(text: str, block: Block, lower_bound: int, top: int) -> tuple[int, int]:
    """Return the span to remove: the block with the blank lines above it if more follow or the text ends.

    At `top`, the blank lines below it instead.
    """
    behind = toml_blocks.blank_run_end(text, block.end)
    if behind == block.end < len(text):
        return block.start, block.end
    start = toml_blocks.blank_run_start(text, block.start, lower_bound)
    return start, behind if start == block.start == top else block.end


def _set(document: _Document, operation: Set | SetEach) -> _EditPlan:
    requested = set(operation.refs)
    index_by_ref = document.index_by_ref(requested)
    jobs = {job.ref: job for job in document.content.jobs if (job.account, job.id) in requested}
    tables, edits = list(document.tables), list[TextEdit]()
    previous, unchanged, not_found = dict[Ref, dict[str, object]](), list[Ref](), list[Ref]()
    for ref in dict.fromkeys(operation.refs):
        if ref not in index_by_ref:
            not_found.append(ref)
            continue
        job, index = jobs[ref], index_by_ref[ref]
        changes = operation.changes_of(job)
        if not changes:
            unchanged.append(ref)
            continue
        previous[ref] = {key: getattr(job, key) for key in changes}
        edits += _block_edits(document.text, document.block(index), changes)
        written = {key: toml_value(value) for key, value in changes.items() if value}
        tables[index] = {key: value for key, value in tables[index].items() if key not in changes} | written
    result = EditResult(
        changed=tuple(previous), unchanged=tuple(unchanged), not_found=tuple(not_found), previous_values=previous
    )
    return _EditPlan(edits, tables, result)


def _block_edits(text: str, block: Block, changes: Mapping[str, object]) -> Iterator[TextEdit]:
    """Yield the edits: values are replaced in place, keys removed with their line, new keys added after the last."""
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
    index_by_ref, line_end, end = document.index_by_ref(), toml_blocks.line_end(document.text), len(document.text)
    requested = [each for each in removed if each.ref not in index_by_ref]
    with_offsets = sorted(zip(_restore_offsets(document, requested), requested, strict=True), key=lambda pair: pair[0])
    edits: list[TextEdit] = []
    for place, each in with_offsets:
        lead = line_end if place == end > document.start and not document.text.endswith("\n") else ""
        lead = _separator(document) if each.after and each.after not in index_by_ref else lead
        tail = "" if each.text.endswith("\n") or (place == end and each is with_offsets[-1][1]) else line_end
        edits.append(TextEdit(place, place, f"{lead}{each.text}{tail}"))
    starts = [block.start for block in document.blocks]
    tables = list(document.tables)
    for place, each in reversed(with_offsets):
        index = bisect_left(starts, place)
        tables[index:index] = job_array(parse_toml(each.text), each.text)
    result = EditResult(
        added=tuple(dict.fromkeys(each.ref for each in requested)),
        unchanged=tuple(dict.fromkeys(each.ref for each in removed if each.ref in index_by_ref)),
    )
    return _EditPlan(edits, tables, result)


def _restore_offsets(document: _Document, requested: list[RemovedBlock]) -> Iterator[int]:
    """Yield the offset of each block: as many lines below its job as before, but above the next job.

    The offset is the end of the text if its job is gone.
    """
    index_by_ref, size = document.index_by_ref(), len(document.text)
    heads = [*sorted(document.blocks[index].start for index in index_by_ref.values()), size]
    statements = list(toml_blocks.statements(document.text))
    for each in requested:
        if each.after and each.after not in index_by_ref:
            yield size
            continue
        place = document.blocks[index_by_ref[each.after]].end if each.after else document.start
        limit = heads[bisect_left(heads, place)]
        for _ in range(each.lines_after):
            place = min(limit, document.text.find("\n", place) + 1 or size)
        yield _next_table_boundary(statements, place)


def _next_table_boundary(statements: list[Statement], offset: int) -> int:
    """Return `offset`, or the nearest one after it that is within no table and above no sub-table of a job."""
    following = bisect_right(statements, offset, key=lambda statement: statement.end)
    for statement in statements[following:]:
        sub_table = statement.path[0] == "job" and len(statement.path) > 1
        if statement.start >= offset and statement.bracket and not sub_table:
            break
        offset = statement.end
    return offset
