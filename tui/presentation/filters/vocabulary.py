"""Vocabulary: the values that jobs have in the fields of the filter language, for completion and messages."""

from collections.abc import Callable, Collection, Iterable
from functools import cache

from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.presentation import languages
from tui.presentation.filters.grammar import Vocabulary


def of_jobs(
    states: Collection[JobState], context: EvaluationContext, accounts: Callable[[], Iterable[str]]
) -> Vocabulary:
    """Return the vocabulary of these jobs and of the accounts that the function returns.

    Each field is searched once, when it is first needed.
    """

    @cache
    def values(field: str) -> Collection[str]:
        return frozenset(_values(field, states, context, accounts))

    return values


def _values(
    field: str, states: Collection[JobState], context: EvaluationContext, accounts: Callable[[], Iterable[str]]
) -> Iterable[str]:
    match field:
        case "account":
            return {*accounts(), *(state.job.account for state in states)}
        case "provider":
            configured = map(context.provider_of, accounts())
            return {*configured, *(context.provider_of(state.job.account) for state in states)}
        case "owner":
            return {owner for state in states for owner in state.job.owners}
        case "tag":
            return {tag for state in states for tag in state.job.tags}
        case "kind":
            return {state.job.kind for state in states if state.job.kind}
        case "lang":
            reported = {state.report.language for state in states if state.report is not None and state.report.language}
            return {term for language in reported for term in languages.search_terms(language)}
        case _:
            return ()
