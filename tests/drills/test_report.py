"""The verdict of a drill follows from what was counted."""

from collections import Counter

import pytest

from services.local.drills.audit import Findings
from services.local.drills.load import Outcome
from services.local.drills.report import Limits, Report, Side, longest_outage, recovery


def failed(began: float, seconds: float = 0.1) -> Outcome:
    return Outcome(began, seconds, writes=False, kind="home, REST", error="503 UNAVAILABLE")


def test_an_outage_lasts_from_its_first_to_its_last_failure() -> None:
    assert longest_outage([]) == 0.0
    assert longest_outage([failed(10.0, 0.5)]) == 0.5
    assert longest_outage([failed(10.0), failed(10.6), failed(11.4, 0.2)]) == pytest.approx(1.6)
    # Calm in between: two outages, and the longer one counts.
    assert longest_outage([failed(10.0), failed(12.0), failed(12.5, 0.5)]) == pytest.approx(1.0)


def reads(began: float, end: float, seconds: float) -> list[Outcome]:
    """Twenty a second, each as slow."""
    count = round((end - began) * 20)
    return [
        Outcome(began + n / 20, seconds, writes=False, kind="home, REST", error="")
        for n in range(count)
    ]


def test_recovery_is_the_first_second_that_is_as_quick_as_before() -> None:
    """S001-75."""
    before = reads(0.0, 3.0, 0.01)
    assert recovery([*before, *reads(3.5, 9.0, 0.01)], 3.5) == pytest.approx(0.0)
    slow = [*before, *reads(3.5, 5.5, 0.2), *reads(5.5, 9.0, 0.009)]
    # One in ten may be slow: the second that begins with the last two slow ones.
    assert recovery(slow, 3.5) == pytest.approx(1.9)
    assert recovery([*before, failed(3.5), *reads(3.6, 9.0, 0.01)], 3.5) == pytest.approx(0.1)
    assert recovery([*before, *reads(3.5, 9.0, 0.2)], 3.5) == float("inf")
    # What begins in the last second has not been seen for long enough.
    assert recovery([*before, *reads(3.5, 8.2, 0.2), *reads(8.2, 9.0, 0.01)], 3.5) == float("inf")
    assert recovery(reads(3.5, 9.0, 0.01), 3.5) == float("inf")


def test_a_recovery_that_takes_long_fails_it() -> None:
    made = report([], Findings(), recovery=12.0)
    assert made.failures == ["reads were slow for 12.0 s, 10.0 s may pass"]
    assert report([], Findings(), recovery=9.0).passed


def report(
    reads: list[Outcome], findings: Findings, missing: str = "", recovery: float | None = None
) -> Report:
    return Report(
        name="kill", fault="" if missing else "killed it", missing=missing,
        reads=Side.of(reads), writes=Side.of([]), limits=Limits(0.1, 0.1, 1.0, 1.0, 10.0),
        recovery=recovery, findings=findings, answered=5, errors=Counter(), seconds=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reads", "findings", "missing", "words"),
    [
        ([failed(1.0)], Findings(), "", "100.00% of reads failed"),
        ([failed(1.0, 5.0)], Findings(), "", "reads failed for 5.0 s"),
        ([], Findings(lost=["post 7"]), "", "1 answered writes lost: post 7"),
        ([], Findings(doubled=["drill 3"]), "", "1 posts made twice"),
        ([], Findings(broken=["home of 5"]), "", "1 broken timelines"),
        ([], Findings(), "nobody died", "the fault did not happen: nobody died"),
    ],
)
def test_each_broken_promise_fails_it(
    reads: list[Outcome], findings: Findings, missing: str, words: str
) -> None:
    made = report(reads, findings, missing)
    assert not made.passed
    assert any(words in failure for failure in made.failures)


def test_kept_promises_pass() -> None:
    fine = [Outcome(float(n), 0.01, writes=False, kind="home, REST", error="") for n in range(20)]
    assert report([*fine, failed(9.0)], Findings()).passed
