"""Check of the placeholders in a provider file: which ones each request must and may have."""

from collections.abc import Collection, Mapping, Sequence

from tui.providers.model import BulkRequest, Endpoint
from tui.providers.reports.links import LinkRule
from tui.providers.requests.request import RequestTemplate
from tui.providers.requests.templates import (
    NUMBER,
    SECRET,
    WHOLE_ID,
    HeaderTemplate,
    Template,
    json_texts,
    unknown_placeholder,
)


class PlaceholderCheck:
    """Check of one file; `problems` gets what is wrong, each with its key."""

    def __init__(self, variables: Sequence[str], secrets: Sequence[str], problems: list[str]) -> None:
        self._variables = tuple(map(str, variables))
        self._secrets = tuple(f"{SECRET}{name}" for name in secrets)
        self._problems = problems

    def check(
        self, endpoints: Mapping[str, Endpoint], bulk: BulkRequest | None, headers: Mapping[str, HeaderTemplate]
    ) -> None:
        """Check all requests of a file. What a kind inherits is reported once."""
        top = endpoints.get("")
        for endpoint in endpoints.values():
            job_id = endpoint.job_id
            known = (*(map(str, job_id.parts) if job_id is not None else ("id", WHOLE_ID)), *self._variables)
            prefix = f"kinds.{endpoint.kind}." if endpoint.kind else ""
            if top is None or not prefix or endpoint.status.path != top.status.path:
                self._check_request(endpoint.status, f"{prefix}status", known, required=("id",), in_body=self._secrets)
            if endpoint.result is not None:
                self._check_request(endpoint.result, f"{prefix}result", (*known, "result_id"), required=("result_id",))
                self._check_links(endpoint.result.links, f"{prefix}result.links", known)
            if top is None or not prefix or endpoint.links is not top.links:
                self._check_links(endpoint.links, f"{prefix}links", known)
            if endpoint.parts is not None:
                self._check_links(endpoint.parts.links, f"{prefix}parts.links", (*known, "part_id"))
            if endpoint.list_request is not None:
                self._check_request(endpoint.list_request, f"{prefix}list", self._variables)
        if bulk is not None:
            self._check_request(bulk, "bulk", self._variables, in_body=("ids",))
        for name, value in headers.items():
            self._check_text(value, f"headers.{name}", self._variables)

    def _check_request(
        self,
        request: RequestTemplate,
        key_path: str,
        allowed: Collection[str],
        *,
        required: Sequence[str] = (),
        in_body: Sequence[str] = (),
    ) -> None:
        self._problems += [
            f"{key_path}.path: {{{name}}} is missing in {str(request.path)!r}"
            for name in required
            if name not in request.placeholder_names
        ]
        self._check_text(request.path, f"{key_path}.path", allowed, has_path=True)
        for name, text in request.form.items():
            self._check_text(text, f"{key_path}.form.{name}", (*allowed, *in_body))
        names = [name for name in (*allowed, *in_body) if name != WHOLE_ID]
        for text in json_texts(request.json):
            used = text.placeholders
            if len(used) == 1 and text == f"{{{used[0]}}}":
                used = (used[0].removesuffix(NUMBER),)
            elif number := next(
                (name for name in used if name.removesuffix(NUMBER) in names and name not in names), ""
            ):
                self._problems.append(f"{key_path}.json: {{{number}}} stands for a whole text, in {str(text)!r}")
                continue
            if problem := unknown_placeholder(text, used, names):
                self._problems.append(f"{key_path}.json: {problem}")
        self._problems += [f"{key_path}.{problem}" for problem in request.body_problems()]

    def _check_links(self, rules: Sequence[LinkRule], key_path: str, known: Sequence[str]) -> None:
        allowed = (*known, "result_id", "language")
        for index, rule in enumerate(rules):
            if rule.path is not None:
                self._check_text(rule.path, f"{key_path}[{index}].path", allowed, has_path=True)
            for name, text in rule.form.items():
                self._check_text(text, f"{key_path}[{index}].form.{name}", (*allowed, *self._secrets))

    def _check_text(self, text: Template, key: str, allowed: Collection[str], *, has_path: bool = False) -> None:
        used = [name for name in text.placeholders if not (has_path and name == WHOLE_ID and name in allowed)]
        if problem := unknown_placeholder(text, used, [name for name in allowed if name != WHOLE_ID]):
            self._problems.append(f"{key}: {problem}")
