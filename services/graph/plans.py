"""The plans that applications may have, from the table that the edge counts by."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import yaml

from services.chassis.policy import templates

from .domain import DEFAULT_PLAN

Plans: TypeAlias = Mapping[str, Mapping[str, int]]
"""Calls per minute by plan and quota."""
ANONYMOUS = "anonymous"


def load_plans(path: Path | None = None) -> Plans:
    """The plans of `envoy/plans.yaml`, without that of callers who have none.

    What is counted by application has the application's limit.
    """
    table = yaml.safe_load((path or templates() / "plans.yaml").read_text())
    plans: dict[str, dict[str, int]] = table["plans"]
    for plan, limits in table["applications"].items():
        plans[plan] |= limits
    plans.pop(ANONYMOUS, None)
    if DEFAULT_PLAN not in plans:
        raise ValueError(f"plans.yaml has no plan {DEFAULT_PLAN!r}")
    return plans
