"""The shape of a job in JSON as DESIGN.md has it, as a JSON Schema; and as much of a validator as it takes."""

import re
from typing import Any, get_args

from tui.storage.config.settings import HookEvent

Schema = dict[str, Any]


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
MAYBE_TIME: Schema = {"type": ["string", "null"], "pattern": TIME}
PHASE: Schema = {"enum": ["new", "queued", "running", "done", "failed", "timed_out", "blocked", "missing"]}
FAULT_KINDS = (
    *("offline", "timeout", "tls", "refused", "payment", "missing", "limited", "rejected", "server", "malformed"),
    *("too_large", "redirected", "retired"),
)

JOB = _object(
    account=TEXT,
    provider=MAYBE_TEXT,
    id=TEXT,
    kind=TEXT,
    label=TEXT,
    tags={"type": "array", "items": TEXT},
    note=TEXT,
    added=MAYBE_TIME,
    phase=PHASE,
    status=MAYBE_TEXT,
    title=MAYBE_TEXT,
    language=MAYBE_TEXT,
    progress={"type": ["number", "null"], "minimum": 0, "maximum": 1},
    progress_source={"enum": ["measured", "stage", "estimated", None]},
    eta=MAYBE_TIME,
    message=MAYBE_TEXT,
    links={
        "type": "array",
        "items": _object(
            kind={"enum": ["video", "audio", "captions", "document"]},
            url={"type": "string", "pattern": "^https?://"},
            expires_at=MAYBE_TIME,
            exact={"type": "boolean"},
        ),
    },
    result=MAYBE_TEXT,
    flags={"type": "array", "items": {"enum": ["stalled", "stale", "expiring", "expired", "unknown"]}},
    checked_at=MAYBE_TIME,
    next_poll_at=MAYBE_TIME,
    fault={
        **_object(
            kind={"enum": list(FAULT_KINDS)},
            message=TEXT,
            http_status={"type": ["integer", "null"]},
            retry_at=MAYBE_TIME,
        ),
        "type": ["object", "null"],
    },
)
JOBS: Schema = {"type": "array", "items": JOB}
JOB_OPTIONS: Schema = {key: {"type": "boolean"} for key in ("keep_link", "download", "muted", "archived")}
EXPORT: Schema = {"type": "array", "items": _object(**JOB["properties"], **JOB_OPTIONS)}
CHANGE = _object(
    account=TEXT, id=TEXT, before=PHASE, after=PHASE, earliest=MAYBE_TIME, seen={**TEXT, "pattern": TIME}, message=TEXT
)
CHANGES: Schema = {"type": "array", "items": CHANGE}
DOWNLOADS: Schema = {
    "type": "array",
    "items": _object(
        account=TEXT,
        id=TEXT,
        saved={
            "type": "array",
            "items": _object(what=TEXT, path={**TEXT, "pattern": "^/"}, size={"type": "integer", "minimum": 0}),
        },
        error=MAYBE_TEXT,
    ),
}
FINDINGS: Schema = {
    "type": "array",
    "items": _object(
        area={"enum": ["program", "files", "journal", "accounts", "clock", "terminal", "hooks"]},
        name=TEXT,
        level={"enum": ["ok", "note", "wrong"]},
        found=TEXT,
        do=MAYBE_TEXT,
    ),
}
PROVIDERS: Schema = {
    "type": "array",
    "items": _object(
        name=TEXT,
        title=TEXT,
        docs=TEXT,
        base_url={"type": "string", "pattern": "^https?://"},
        key_variable=TEXT,
        accounts={"type": "array", "items": TEXT},
        kinds={"type": "array", "items": TEXT},
        file=MAYBE_TEXT,
        overrides={"type": "boolean"},
    ),
}
WATCH_EVENT = _object(**CHANGE["properties"], job=JOB)
HOOK_EVENT = _object(
    event={"enum": list(get_args(HookEvent))},
    delivery={**TEXT, "pattern": "^[0-9a-f]{32}$"},
    at={**TEXT, "pattern": TIME},
    text=TEXT,
    job={**JOB, "type": ["object", "null"]},
    jobs={**JOBS, "type": ["array", "null"]},
    change={**CHANGE, "type": ["object", "null"]},
    account={
        **_object(name=TEXT, provider=TEXT, health=TEXT, message=TEXT),
        "type": ["object", "null"],
    },
)
"""What a hook is told."""

BY_SUBCOMMAND: dict[str, Schema] = {
    "list": JOBS,
    "check": JOBS,
    "wait": JOBS,
    "renew": JOBS,
    "watch": WATCH_EVENT,
    "log": CHANGES,
    "export": EXPORT,
    "providers": PROVIDERS,
    "doctor": FINDINGS,
    "download": DOWNLOADS,
}
"""What each verb's JSON is; of `watch` each line's."""

_TYPES = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
_KNOWN = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "pattern", "minimum", "maximum"),
}


def problems(value: Any, schema: Schema, where: str = "$") -> list[str]:
    """What does not conform. Knows the keywords above and refuses others."""
    assert set(schema) <= _KNOWN, f"the validator does not know {set(schema) - _KNOWN}"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return [f"{where}: {value!r} is no {' or '.join(kinds)}"]
    found: list[str] = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{where}: {value!r} is not like {schema['pattern']}")
    if _is(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{where}: {value!r} is out of bounds")
    if isinstance(value, list):
        found += [each for at, item in enumerate(value) for each in problems(item, schema["items"], f"{where}[{at}]")]
    if isinstance(value, dict):
        known = schema["properties"]
        found += [f"{where}: {key} is missing" for key in schema["required"] if key not in value]
        found += [f"{where}: {key} is unknown" for key in value if key not in known]
        found += [each for key in known if key in value for each in problems(value[key], known[key], f"{where}.{key}")]
    return found


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
