"""The verdict of a drill follows from what was counted."""

from collections import Counter

import pytest

from services.local.drills.audit import Findings
from services.local.drills.load import Outcome
from services.local.drills.report import Limits, Report, Side, longest_outage


def failed(began: float, seconds: float = 0.1) -> Outcome:
    return Outcome(began, seconds, writes=False, kind="home, REST", error="503 UNAVAILABLE")


def test_an_outage_lasts_from_its_first_to_its_last_failure() -> None:
    assert longest_outage([]) == 0.0
    assert longest_outage([failed(10.0, 0.5)]) == 0.5
    assert longest_outage([failed(10.0), failed(10.6), failed(11.4, 0.2)]) == pytest.approx(1.6)
    # Calm in between: two outages, and the longer one counts.
    assert longest_outage([failed(10.0), failed(12.0), failed(12.5, 0.5)]) == pytest.approx(1.0)


def report(reads: list[Outcome], findings: Findings, missing: str = "") -> Report:
    return Report(
        name="kill", fault="" if missing else "killed it", missing=missing,
        reads=Side.of(reads), writes=Side.of([]), limits=Limits(0.1, 0.1, 1.0, 1.0),
        findings=findings, answered=5, errors=Counter(), seconds=1.0,
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
