"""What a drill found: errors, how long they lasted (RTO), what was lost (RPO), and the verdict."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.local.drills.audit import Findings
from services.local.drills.load import Outcome

CALM_SECONDS = 1.0
"""Failures that are nearer to each other belong to one outage."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a drill promises: shares of failed calls, and seconds of an outage."""

    reads: float = 0.0
    writes: float = 0.0
    read_seconds: float = 0.0
    write_seconds: float = 0.0
    recovery_seconds: float | None = None
    """Until reads are again as quick as before; None where that is not looked at."""


@dataclass(frozen=True, slots=True)
class Side:
    """Reads or writes of a drill."""

    calls: int
    errors: int
    outage: float
    """Seconds of the longest run of failures."""
    p99: float
    """Seconds, of the calls that succeeded."""

    @property
    def share(self) -> float:
        """The share of failed calls."""
        return self.errors / self.calls if self.calls else 0.0

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Side":
        """Summarize calls."""
        rows = list(outcomes)
        failed = [row for row in rows if row.error]
        times = sorted(row.seconds for row in rows if not row.error)
        p99 = times[int(len(times) * 0.99)] if times else float("nan")
        return cls(len(rows), len(failed), longest_outage(failed), p99)


@dataclass(frozen=True, slots=True)
class Report:
    """A drill that ran."""

    name: str
    fault: str
    """What happened, as the drill has seen it; empty if it did not."""
    reads: Side
    writes: Side
    limits: Limits
    findings: Findings
    answered: int
    errors: Counter[str]
    seconds: float
    missing: str = ""
    """Why the fault did not happen."""
    recovery: float | None = None
    """Seconds until reads were again as quick as before; infinite if they were not."""

    @property
    def failures(self) -> list[str]:
        """What it was to keep and did not; empty if it passed."""
        limits = self.limits
        found = [f"the fault did not happen: {self.missing}"] if self.missing else []
        for side, name, share, seconds in (
            (self.reads, "reads", limits.reads, limits.read_seconds),
            (self.writes, "writes", limits.writes, limits.write_seconds),
        ):
            if side.share > share:
                found.append(f"{side.share:.2%} of {name} failed, {share:.2%} may")
            if side.outage > seconds:
                found.append(f"{name} failed for {side.outage:.1f} s, {seconds:.1f} s may pass")
        most = limits.recovery_seconds
        if self.recovery is not None and most is not None and self.recovery > most:
            found.append(f"reads were slow for {self.recovery:.1f} s, {most:.1f} s may pass")
        for what, rows in (
            ("answered writes lost", self.findings.lost),
            ("posts made twice", self.findings.doubled),
            ("broken timelines", self.findings.broken),
        ):
            if rows:
                found.append(f"{len(rows)} {what}: {rows[0]}")
        return found

    @property
    def passed(self) -> bool:
        """Whether everything was kept."""
        return not self.failures


def recovery(reads: Iterable[Outcome], fault: float) -> float:
    """Seconds from a fault to the first second in which reads were as quick as before it.

    In that second none failed, and nine in ten took at most twice as long as nine in ten did
    before; infinite if there was none. Of the calm the 99th percentile would be the slowest call.
    """
    rows = sorted(reads, key=lambda row: row.began)
    calm = sorted(row.seconds for row in rows if row.ended <= fault and not row.error)
    if not calm:
        return float("inf")
    usual = 2 * calm[int(len(calm) * 0.9)]
    later = [row for row in rows if row.began >= fault]
    for first in later:
        window = [row for row in later if 0 <= row.began - first.began < CALM_SECONDS]
        slow = sum(row.seconds > usual for row in window)
        whole = later[-1].began - first.began >= CALM_SECONDS
        if whole and slow <= len(window) / 10 and not any(row.error for row in window):
            return first.began - fault
    return float("inf")


def longest_outage(failed: Sequence[Outcome]) -> float:
    """Seconds from the beginning of the first to the end of the last failure of one run."""
    longest, began, ended = 0.0, 0.0, float("-inf")
    for row in sorted(failed, key=lambda row: row.began):
        if row.began > ended + CALM_SECONDS:
            began = row.began
        ended = max(ended, row.ended)
        longest = max(longest, ended - began)
    return longest
