"""Random watchlists as operators write them, and random operations on them."""

import tomllib
from dataclasses import dataclass
from random import Random
from typing import Any

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from tui.domain.job_ids import invalid_reason
from tui.domain.models import Job, Ref
from tui.storage.watchlist.editor import apply_to_text
from tui.storage.watchlist.operations import Add, EditResult, Operation, Remove, Restore, Set
from tui.storage.watchlist.parser import parse

NASTY = [
    "[[job]]",
    "\r\n",
    '"""',
    "'''",
    "\\",
    '"',
    "#",
    "\ufeff",
    "\u2028",
    "\x85",
    "\x00\x7f",
    "id = 1\n",
    "日本",
    "[job.x]",
]
TEXT = st.lists(st.sampled_from(NASTY) | st.text(max_size=4), max_size=4).map("".join)
NAMES = st.lists(
    st.sampled_from([text for text in NASTY if text.isprintable()])
    | st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=4),
    min_size=1,
    max_size=4,
).map("".join)
"""Texts that may be names and, most of them, ids."""
REFS = st.builds(Ref, st.sampled_from(["heygen", "camb", "a:b #"]), st.sampled_from(["1", "2", "3", "4", '"[[job]]"']))
JOBS = st.builds(
    lambda ref, **rest: Job(account=ref.account, id=ref.id, **rest),
    REFS | st.builds(Ref, NAMES.filter(bool), NAMES.filter(lambda text: not invalid_reason(text))),
    label=TEXT,
    note=TEXT,
    tags=st.lists(TEXT, max_size=3).map(tuple),
    added=st.none() | st.integers(0, 4 * 10**9).map(float),
    muted=st.booleans(),
    kind=st.sampled_from(["", "dub"]),
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "label": TEXT,
        "note": st.just("") | TEXT,
        "tags": st.lists(TEXT, max_size=3).map(tuple),
        "muted": st.booleans(),
        "keep_link": st.booleans(),
    },
)
SPACE = ["\n", "\n\n", "  \t\n", "# [[job]]\n", "\n# '''\n", '# """ é\n\n']
OTHER = ["[[other]]\njob = 1\n", "[[others]]\nx = '''\n[[job]]\n'''\n", "[[ 'a'.\"b]\" ]]\nid = [\n'[',\n]\n"]
SUBTABLES = ["[job.sub]\nx = 1\n", "[[job.'sub']]\n\n# in\n[[job.sub]]\n", '[job.sub.deep]\ny = """\n\n# """\n']
OWN = ["own.x = [1, # '\n 2]", "own2 = { y = '}' }", "\t'own 3' = nan"]


@dataclass(frozen=True)
class Document:
    """A watchlist as an operator may have written it."""

    text: str
    blocks: list[tuple[Ref, str]]
    gaps: list[str]
    """Text above each block, and below the last."""


def document_of(jobs: list[Job], by: Random) -> Document:
    gaps = [space(by) + by.choice(["", "version = 1\n"]) + space(by)]
    blocks: list[tuple[Ref, str]] = []
    for job in jobs:
        head = by.choice(["[[job]]", "  [[ job ]] # mine", "[['job']]"])
        blocks.append((job.ref, f"{head}\n{keys(job, by)}{by.choice(['', '', *SUBTABLES])}"))
        gaps.append(space(by) + by.choice(["", "", *OTHER]) + space(by))
    text = gaps[0] + "".join(block + gap for (_, block), gap in zip(blocks, gaps[1:], strict=True))
    text = by.choice([text, text.rstrip("\n")])
    return Document(by.choice(["", "\ufeff"]) + text.replace("\n", by.choice(["\n", "\r\n"])), blocks, gaps)


def space(by: Random) -> str:
    return "".join(by.choices(SPACE, k=by.choice([0, 1, 1, 3])))


def keys(job: Job, by: Random) -> str:
    """One job's keys, each written in one of TOML's ways, in any order, comments between them."""
    lines = [f"account = {string(job.account, by)}", f"id={string(job.id, by)}  # its id"]
    lines += [f'"label" = {string(job.label, by)}'] if job.label or by.random() < 0.3 else []
    lines += [f"note = {string(job.note, by)} # [[job]]"] if job.note else []
    if job.tags:
        joint = by.choice([", ", ",\n  # ] in\n  "])
        lines.append(f"tags = [{joint.join(string(tag, by) for tag in job.tags)}]")
    lines += by.sample(OWN, by.choice([0, 0, 1, 3]))
    lines += ["muted = true"] if job.muted else []
    by.shuffle(lines)
    return "\n".join(line + by.choice(["", "", "", "\n# in", "\n"]) for line in lines[:-1]) + f"\n{lines[-1]}\n"


def string(text: str, by: Random) -> str:
    """A string in one of TOML's four ways."""
    basic = tomli_w.dumps({"v": text})[4:-1]
    ways = [basic, f'"""\n{basic[1:-1]}"""', f'"""\\\n  {basic[1:-1]}"""'[: None if text[:1].strip() else 0]]
    if all(c in "\n\t" or (c >= " " and c != "\x7f") for c in text) and "'" not in text:
        ways += [f"'''\n{text}'''", f"'{text}'" if "\n" not in text else ""]
    return by.choice([way for way in ways if way])


DOCUMENTS = st.builds(document_of, st.lists(JOBS, max_size=5), st.integers(0, 10**6).map(Random))


def tables(text: str) -> list[dict[str, Any]]:
    """The jobs as `tomllib` reads them; floats as text, since nan is unlike itself."""
    return tomllib.loads(text.removeprefix("\ufeff"), parse_float=str).get("job", [])


def ref_of(table: dict[str, Any]) -> Ref:
    return Ref(table["account"], table["id"])


def plain(text: str) -> str:
    return text.replace("\r\n", "\n").removeprefix("\ufeff")


def survives(parts: list[str], text: str) -> bool:
    """Assert that every line of the parts is in the text, in that order; blank lines may be missing."""
    lines = iter(plain(text).split("\n"))
    wanted = [line for part in parts for line in plain(part).split("\n") if line.strip()]
    return all(any(line == other for other in lines) for line in wanted)


def parts_of(document: Document, touched: tuple[Ref, ...], counting_only: bool = False) -> list[str]:
    """The texts that may not change, in order; `counting_only`: the first block of a touched job alone may."""
    parts, seen = [document.gaps[0]], set[Ref]()
    for (ref, block), gap in zip(document.blocks, document.gaps[1:], strict=True):
        gone = ref in touched and not (counting_only and ref in seen)
        seen.add(ref)
        parts += [gap] if gone else [block, gap]
    return parts


@given(DOCUMENTS)
def test_a_watchlist_has_the_content_that_tomllib_reads(document: Document) -> None:
    refs = [ref_of(table) for table in tables(document.text)]
    assert refs == [ref for ref, _ in document.blocks]
    reading = parse(document.text)
    assert [job.ref for job in reading.jobs] == list(dict.fromkeys(refs))
    assert len(reading.problems) == len(refs) - len(set(refs))


@given(DOCUMENTS, st.lists(JOBS, max_size=4))
def test_adding_keeps_the_text_and_adds_the_jobs(document: Document, jobs: list[Job]) -> None:
    text, outcome = apply_to_text(document.text, Add(tuple(jobs)))
    assert text.startswith(document.text)
    before = parse(document.text).jobs
    known = {job.ref for job in before}
    new = {job.ref: job for job in reversed(jobs) if job.ref not in known}
    assert set(outcome.added) == set(new)
    assert parse(text).jobs == (*before, *(new[ref] for ref in outcome.added))
    assert text.count("\n") == text.count("\r\n") or "\r\n" not in document.text


@given(DOCUMENTS, st.data())
def test_removing_keeps_every_other_line_and_restoring_every_byte(document: Document, data: st.DataObject) -> None:
    there = [ref for ref, _ in document.blocks]
    refs = tuple(data.draw(st.lists(st.sampled_from(there) | REFS if there else REFS, max_size=4)))
    text, outcome = apply_to_text(document.text, Remove(refs))
    assert tables(text) == [table for table in tables(document.text) if ref_of(table) not in refs]
    assert survives(parts_of(document, refs), text)
    assert apply_to_text(text, Restore(outcome.removed_blocks))[0] == document.text
    halfway, second = apply_to_text(text, Remove(tuple(there[:1])))
    assert (
        apply_to_text(apply_to_text(halfway, Restore(second.removed_blocks))[0], Restore(outcome.removed_blocks))[0]
        == document.text
    )


@given(DOCUMENTS, st.data(), CHANGES)
def test_setting_keeps_every_line_of_other_blocks_and_every_other_key(
    document: Document, data: st.DataObject, changes: dict[str, object]
) -> None:
    there = [ref for ref, _ in document.blocks]
    refs = tuple(data.draw(st.lists(st.sampled_from(there) | REFS if there else REFS, max_size=4)))
    text, outcome = apply_to_text(document.text, Set(refs, changes))
    assert survives(parts_of(document, refs, counting_only=True), text)
    for job, before in zip(parse(text).jobs, parse(document.text).jobs, strict=True):
        wanted = changes if before.ref in refs else {}
        assert all(getattr(job, key) == wanted.get(key, getattr(before, key)) for key in Job.__struct_fields__)
    for table, before in zip(tables(text), tables(document.text), strict=True):
        assert {**table, **dict.fromkeys(changes)} == {**before, **dict.fromkeys(changes)}
    assert set(outcome.changed) | set(outcome.unchanged) | set(outcome.not_found) == set(refs)
    assert apply_to_text(text, Set(refs, changes)) == (
        text,
        EditResult(unchanged=tuple(dict.fromkeys(r for r in refs if r in there)), not_found=outcome.not_found),
    )


OPERATIONS = st.one_of(
    st.builds(lambda jobs: Add(tuple(jobs)), st.lists(JOBS, max_size=3)),
    st.builds(lambda refs: Remove(tuple(refs)), st.lists(REFS, max_size=3)),
    st.builds(lambda refs, changes: Set(tuple(refs), changes), st.lists(REFS, max_size=3), CHANGES),
)


@given(DOCUMENTS, st.lists(OPERATIONS, max_size=6))
def test_any_operations_one_after_the_other_give_the_intended_list(
    document: Document, operations: list[Operation]
) -> None:
    text, jobs = document.text, {job.ref: job for job in parse(document.text).jobs}
    comments = [line for gap in document.gaps for line in gap.split("\n") if line.lstrip().startswith("#")]
    before, undo_stack = dict(jobs), list[Operation | None]()
    for operation in operations:
        text, outcome = apply_to_text(text, operation)
        undo_stack.append(outcome.undo)
        if isinstance(operation, Add):
            jobs = {job.ref: job for job in reversed(operation.jobs)} | jobs
        elif isinstance(operation, Remove):
            jobs = {ref: job for ref, job in jobs.items() if ref not in operation.refs}
        elif isinstance(operation, Set):
            fields = {ref: {**{key: getattr(job, key) for key in Job.__struct_fields__}} for ref, job in jobs.items()}
            jobs = {ref: Job(**{**fields[ref], **(operation.changes if ref in operation.refs else {})}) for ref in jobs}
        assert {job.ref: job for job in parse(text).jobs} == jobs
        assert survives(comments, text)
    for operation in filter(None, reversed(undo_stack)):
        text, _ = apply_to_text(text, operation)
    assert {job.ref: job for job in parse(text).jobs} == before
    assert survives(comments, text)
