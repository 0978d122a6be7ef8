"""Evidence of whether an API is gone as a whole, or only the jobs that it answers with 410 (RFC 9110 §15.5.11).

Services send 410 for a deleted or expired job too. Leaves to others: the sunset, and what follows.
"""

GONE_AFTER = 30.0
"""Seconds without a report, since the first 410: an account with a job that still works gets one in that time."""
GONE = 410
"""HTTP status."""


class RetirementEvidence:
    """Reports and 410s of one account's API in this process."""

    def __init__(self) -> None:
        self._reporters: set[str] = set()
        """Up to two ids with a report."""
        self._gone_since: dict[str, float] = {}
        """By id: the first 410 since the last report of any job."""

    def record_report(self, job_id: str) -> None:
        """Record a report: the API is alive. "" stands for the jobs of a bulk poll."""
        self._gone_since.clear()
        if len(self._reporters) < 2:
            self._reporters.add(job_id)

    def record_gone(self, job_id: str, at: float) -> None:
        """Record a 410 for a job."""
        self._gone_since.setdefault(job_id, at)

    def is_api_gone(self, at: float) -> bool:
        """Return whether several jobs got 410, and none a report since."""
        return len(self._gone_since) > 1 and at - min(self._gone_since.values()) >= GONE_AFTER

    def may_be_gone(self, job_id: str) -> bool:
        """Return whether no other job has had a report: only the successor can tell job and API apart."""
        return self._reporters <= {job_id}
