"""The quick drills, and their negative controls: a drill that cannot fail shows nothing."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from services.local.drills import faults
from services.local.drills.drill import Options, drills, run
from services.local.drills.report import Limits, Report
from services.local.drills.target import Target

CROWD = 30
DRILLS = drills(kills=3, zone_seconds=10.0)


async def drilled(name: str, target: Target, folder: Path, *, control: bool = False) -> Report:
    options = Options(
        rate=40.0,
        control=control,
        ledger_folder=folder,
        before=1.0,
        after=1.0,
        settle=4.0 if control else 30.0,
    )
    # What is slow on a loaded machine must not fail here: `make drill` holds the times.
    limits = Limits(0.02, 0.5, 20.0, 20.0, math.inf)
    drill = replace(DRILLS[name], limits=limits, crowd=DRILLS[name].crowd and CROWD)
    return await run(drill, target, options)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "WATCHED_SECONDS", 4.0)
    monkeypatch.setattr(faults, "FREEZE_SECONDS", 5.0)


@pytest.mark.parametrize("name", ["promote", "hang"])
async def test_nothing_that_was_answered_is_lost(name: str, target: Target, tmp_path: Path) -> None:
    report = await drilled(name, target, tmp_path)
    assert report.passed, (report.failures, report.errors)
    assert report.fault
    assert report.answered > 20
    written = (tmp_path / f"{name}.ledger.jsonl").read_text().splitlines()
    assert len(written) >= report.answered


async def test_a_flush_is_recovered_from(target: Target, tmp_path: Path) -> None:
    """S001-75: how long, and how near PostgreSQL came to its limit, is in the report."""
    report = await drilled("flush", target, tmp_path)
    assert report.passed, (report.failures, report.errors)
    flushed = re.match(r"flushed (\d+) keys", report.fault)
    assert flushed
    assert int(flushed[1]) > CROWD
    found = re.search(r"at most (\d+) of (\d+) connections, (\d+) at work", report.fault)
    assert found
    connections, maximum, active = map(int, found.groups())
    assert 0 < active <= connections < maximum
    assert report.recovery is not None


async def test_a_fault_that_does_not_happen_and_a_lost_write_are_found(
    target: Target, tmp_path: Path
) -> None:
    report = await drilled("flush", target, tmp_path, control=True)
    assert not report.passed
    assert report.missing
    assert [entry.split()[:2] for entry in report.findings.lost] == [["post", "1"]]


async def test_commits_that_wait_for_nobody_are_lost_and_that_is_found(
    target: Target, tmp_path: Path
) -> None:
    """What promise 1 rests on: without the synchronous standby answered writes do get lost."""
    report = await drilled("promote", target, tmp_path, control=True)
    assert not report.passed
    assert report.findings.lost
    assert not report.missing
