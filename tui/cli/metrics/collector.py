"""Collector of one engine's metrics: counters follow its events, gauges are read from its states at each scrape."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, exposition
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

import tui
from tui.cli.context import evaluation_context
from tui.domain import evaluation
from tui.domain.links import expiry
from tui.domain.models import ENDED, Phase
from tui.engine.api import AccountState, EngineEvent, Health, Notice, NoticeKind, RequestFinished, RoleChanged
from tui.engine.engine import Engine
from tui.storage.workspace import Workspace

LATENCY_BUCKETS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30)
"""Seconds. A request ends after 30 seconds at the latest by default."""
REPORT = "report"
"""Outcome of a request without a fault."""


class EngineMetrics(Collector):
    """Metrics of one engine, labelled by account. Used on the engine's loop only."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._engine: Engine | None = None
        self._accounts: dict[str, AccountState] = {}
        self._role = ""
        self._lag = 0.0
        self._registry = registry = CollectorRegistry()
        registry.register(self)
        self._requests = Counter(
            "babeltop_requests",
            "Requests by outcome: report, or the kind of fault",
            ("account", "outcome"),
            registry=registry,
        )
        self._latency = Histogram(
            "babeltop_request_duration_seconds",
            "Duration of requests",
            ("account",),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._downloads = Counter("babeltop_downloads", "Downloads by outcome", ("outcome",), registry=registry)
        self._hook_failures = Counter("babeltop_hook_failures", "Failed deliveries of hooks", registry=registry)
        for outcome in ("saved", "failed"):
            self._downloads.labels(outcome)
        for name in workspace.accounts:
            self._requests.labels(name, REPORT)
            self._latency.labels(name)

    def attach(self, engine: Engine) -> None:
        """Read the gauges from this engine."""
        self._engine = engine

    def publish(self, event: EngineEvent) -> None:
        """Count an event of the engine."""
        match event:
            case RequestFinished(account, request):
                self._requests.labels(account, request.fault or REPORT).inc()
                self._latency.labels(account).observe(request.duration_ms / 1000)
            case AccountState():
                self._accounts[event.name] = event
            case RoleChanged(role):
                self._role = role
            case Notice(NoticeKind.DOWNLOADED):
                self._downloads.labels("saved").inc()
            case Notice(NoticeKind.DOWNLOAD_FAILED):
                self._downloads.labels("failed").inc()
            case _:
                pass

    def count_hook_failure(self) -> None:
        """Count a delivery that failed."""
        self._hook_failures.inc()

    def render(self, accept: str, lag: float) -> tuple[bytes, str]:
        """Return all metrics, and their content type, in the format that an Accept header prefers.

        `lag`: seconds that the engine's loop took for one turn.
        """
        self._lag = lag
        encode, content_type = exposition.choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        yield InfoMetricFamily("babeltop", "Version of babeltop", {"version": tui.__version__})
        yield GaugeMetricFamily(
            "babeltop_engine_lag_seconds", "Seconds that the engine's loop took for one turn", value=self._lag
        )
        yield GaugeMetricFamily(
            "babeltop_polling",
            "1 if this process polls, 0 if it follows another or is paused",
            value=self._role == "polling",
        )
        yield from self._account_gauges()
        if self._engine is not None:
            yield from self._job_gauges(self._engine)

    def _account_gauges(self) -> Iterator[Metric]:
        healthy = GaugeMetricFamily(
            "babeltop_account_healthy", "1 if the account's requests get reports", labels=["account"]
        )
        rate = GaugeMetricFamily("babeltop_rate_limit_per_minute", "Requests that are sent at most", labels=["account"])
        left = GaugeMetricFamily(
            "babeltop_quota_remaining", "Requests left, as the service reports", labels=["account"]
        )
        quota = GaugeMetricFamily("babeltop_quota", "Limit that the service reports", labels=["account"])
        for name, state in self._accounts.items():
            healthy.add_metric([name], state.health in {Health.OK, Health.UNTRIED})
            if state.rate_per_minute is not None:
                rate.add_metric([name], state.rate_per_minute)
            if state.quota is not None:
                left.add_metric([name], state.quota[0])
                quota.add_metric([name], state.quota[1])
        yield from (healthy, rate, left, quota)

    def _job_gauges(self, engine: Engine) -> Iterator[Metric]:
        context = evaluation_context(self._workspace)
        counts, flagged = Tally[tuple[str, Phase]](), Tally[tuple[str, str]]()
        longest: dict[tuple[str, Phase], float] = {}
        next_expiry: dict[str, float] = {}
        for account in self._workspace.accounts:
            counts.update({(account, phase): 0 for phase in Phase})
        for ref, state in engine.states.items():
            if evaluation.is_archived(state, context):
                continue
            key = ref.account, state.phase
            counts[key] += 1
            flagged.update((ref.account, flag) for flag in evaluation.flags(state, context))
            if state.phase not in ENDED and state.phase_since is not None:
                longest[key] = max(longest.get(key, 0.0), context.now - state.phase_since)
            for link in state.links:
                left = expiry.remaining(link, context.now)
                if left is not None and left > 0:
                    next_expiry[ref.account] = min(next_expiry.get(ref.account, left), left)
        yield _family(
            "babeltop_jobs", "Jobs on the watchlist that are not archived", ("account", "phase"), counts.items()
        )
        yield _family("babeltop_job_flags", "Jobs with a warning", ("account", "flag"), flagged.items())
        yield _family(
            "babeltop_longest_in_phase_seconds",
            "Time in the phase of the oldest job",
            ("account", "phase"),
            longest.items(),
        )
        yield _family(
            "babeltop_next_link_expiry_seconds",
            "Time until the next link expires",
            ("account",),
            (([account], left) for account, left in next_expiry.items()),
        )


def _family(
    name: str, documentation: str, labels: tuple[str, ...], values: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family
