"""Quotas: what local_ratelimit counts, from `envoy/plans.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.chassis.policy import templates

ANONYMOUS = "anonymous"
WINDOW_SECONDS = 60
USER, PLAN = "x-aviary-user-id", "x-aviary-plan"
FILTER = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"


@dataclass(frozen=True, slots=True)
class Plans:
    """Calls per minute, by plan and quota."""

    limits: Mapping[str, Mapping[str, int]]
    unknown_plan: int
    counted_callers: int

    @classmethod
    def load(cls, path: Path | None = None) -> "Plans":
        """Read the plans from their file."""
        table = yaml.safe_load((path or templates() / "plans.yaml").read_text())
        return cls(table["plans"], table["unknown_plan"], table["counted_callers"])


def filter_config(plans: Plans) -> dict[str, Any]:
    """The filter: a bucket per user, plan and quota; without a user per address."""
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return {
        "@type": FILTER,
        "stat_prefix": "quota",
        "filter_enabled": always,
        "filter_enforced": always,
        "token_bucket": _bucket(plans.unknown_plan),
        "always_consume_default_token_bucket": False,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "rate_limited_as_resource_exhausted": True,
        "max_dynamic_descriptors": plans.counted_callers,
        "rate_limits": _callers(),
        "descriptors": [
            {
                "entries": [
                    {"key": "quota", "value": quota},
                    {"key": "plan", "value": plan},
                    {"key": "masked_remote_address" if plan == ANONYMOUS else "user"},
                ],
                "token_bucket": _bucket(limit),
            }
            for plan, limits in plans.limits.items()
            for quota, limit in limits.items()
        ],
    }


def route_metadata(quota: str) -> dict[str, Any]:
    """What tells the filter a route's quota."""
    return {"filter_metadata": {"aviary": {"quota": quota}}}


def response_headers() -> list[dict[str, Any]]:
    """`RateLimit-*` beside Envoy's `x-ratelimit-*`."""
    values = {
        f"ratelimit-{name}": f"%RESP(x-ratelimit-{name})%"
        for name in ("limit", "remaining", "reset")
    }
    return [
        {
            "append": {
                "header": {"key": name, "value": value},
                "append_action": "ADD_IF_ABSENT",
                "keep_empty_value": False,
            }
        }
        for name, value in values.items()
    ]


def _callers() -> list[dict[str, Any]]:
    """How callers are told apart: by user where a token names one, else by address."""
    quota = {
        "metadata": {
            "descriptor_key": "quota",
            "metadata_key": {"key": "aviary", "path": [{"key": "quota"}]},
            "source": "ROUTE_ENTRY",
        }
    }
    plan = {"request_headers": {"header_name": PLAN, "descriptor_key": "plan"}}
    user = {"request_headers": {"header_name": USER, "descriptor_key": "user"}}
    nobody = {
        "header_value_match": {
            "descriptor_key": "plan",
            "descriptor_value": ANONYMOUS,
            "expect_match": False,
            "headers": [{"name": USER, "present_match": True}],
        }
    }
    # An IPv6 customer has a whole /64 to choose addresses from.
    address = {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}
    return [{"actions": [quota, plan, user]}, {"actions": [quota, nobody, address]}]


def _bucket(limit: int) -> dict[str, Any]:
    return {
        "max_tokens": limit,
        "tokens_per_fill": limit,
        "fill_interval": f"{WINDOW_SECONDS}s",
    }
