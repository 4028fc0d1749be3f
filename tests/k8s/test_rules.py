"""Rules: promtool evaluates them, and every alert has its page and its test."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from . import metrics, tools

FOLDER = Path(__file__).parent
RUNBOOK = metrics.ROOT / "docs" / "runbook.md"
ALERTS = {rule["alert"]: rule for rule in metrics.rules() if "alert" in rule}


def sections() -> dict[str, str]:
    """The runbook's headings and what is below each."""
    parts = re.split(r"^### (.+)$", RUNBOOK.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_heading_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{alert.lower()}"
    below = sections()[alert]
    for word in ("Symptom", "Look", "Cause", "Cure"):
        assert f"**{word}**" in below, word
    assert "kubectl" in below
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_no_heading_without_an_alert() -> None:
    assert set(sections()) == set(ALERTS)


def test_every_alert_is_tested() -> None:
    table = yaml.safe_load((FOLDER / "rules_test.yaml").read_text())["tests"]
    firing = {
        each["alertname"]
        for test in table
        for each in test["alert_rule_test"]
        if each["exp_alerts"]
    }
    # The other burn rates are the same expression over other series and windows of days.
    same = {f"{name}{pace}" for name in ("PostSlow", "DeliveryLate") for pace in ("Fast", "Slow")}
    same |= {"EdgeBudgetSlow", "HomeTimelineSlowSlow"}
    assert firing | same == set(ALERTS)


def evaluate(folder: Path, spec: object) -> "subprocess.CompletedProcess[str]":
    promtool = tools.promtool()
    if promtool is None:
        pytest.skip("promtool comes from Debian's package of Prometheus")
    (folder / "rules.yaml").write_text(yaml.safe_dump(spec))
    (folder / "tests.yaml").write_text((FOLDER / "rules_test.yaml").read_text())
    return subprocess.run(
        [promtool, "test", "rules", "tests.yaml"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_rules_fire_when_they_should(tmp_path: Path) -> None:
    spec = yaml.safe_load((metrics.MONITORING / "rules.yaml").read_text())["spec"]
    done = evaluate(tmp_path, spec)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_threshold_is_noticed(tmp_path: Path) -> None:
    spec = yaml.safe_load((metrics.MONITORING / "rules.yaml").read_text())["spec"]
    for group in spec["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == "EdgeBudgetFast":
                rule["expr"] = (
                    rule["expr"]
                    .replace("14.4 * 0.001", "14.4 * 0.01")
                    .replace("6 * 0.001", "6 * 0.01")
                )
    assert evaluate(tmp_path, spec).returncode != 0
