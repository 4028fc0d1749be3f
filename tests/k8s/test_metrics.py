"""Metrics, their page, and the expressions that name them."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from . import metrics
from .manifests import Manifests

CODE = {metric.name: metric for metric in metrics.in_code()}
PODS = {"service", "pod", "namespace", "zone", "le"}
"""Labels that Prometheus adds."""


def test_the_page_and_the_code_tell_the_same() -> None:
    assert metrics.documented() == set(CODE.values())


def test_names_say_whose_they_are() -> None:
    shared = {"aviary_calls_in_flight", "aviary_health_up"}
    for name in set(CODE) - shared:
        kind = name.split("_")[1]
        assert kind in {"tweet", "graph", "timeline", "search", "notify", "rpc", "events"}, name


def test_expressions_name_what_exists() -> None:
    recorded = {rule["record"] for rule in metrics.rules() if "record" in rule}
    known = {sample for metric in CODE.values() for sample in metric.samples}
    known |= metrics.of_others() | recorded
    used = set()
    for where, expression in metrics.expressions():
        found = metrics.named(expression)
        assert found, f"{where} names no metric"
        assert found <= known, f"{where}: {found - known}"
        used |= found
    assert metrics.of_others() <= used, "documented and used nowhere"


def test_selectors_name_labels_that_exist() -> None:
    by_sample = {
        sample: set(metric.labels) | PODS for metric in CODE.values() for sample in metric.samples
    }
    checked = 0
    for where, expression in metrics.expressions():
        for sample, label in metrics.labels_named(expression):
            if sample in by_sample:
                assert label in by_sample[sample], f"{where}: {sample} has no {label}"
                checked += 1
    assert checked > 20


def test_every_metric_of_ours_is_shown_or_alerts() -> None:
    used = {name for _, expression in metrics.expressions() for name in metrics.named(expression)}
    unseen = {name for name, metric in CODE.items() if not metric.samples & used}
    assert unseen == set()


def test_autoscalers_ask_for_what_the_adapter_gives(production: Manifests) -> None:
    given = {
        name
        for where, expression in metrics.expressions()
        if where == "adapter.yaml"
        for name in metrics.named(expression)
    }
    asked = set()
    for scaler in production.of("HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            inside = metric.get(metric["type"].lower(), {})
            if "metric" in inside:
                asked.add(inside["metric"]["name"])
    assert asked == given


def _renderer() -> Any:
    file = metrics.MONITORING / "dashboards" / "render.py"
    found = importlib.util.spec_from_file_location("dashboards", file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_dashboards_are_what_their_source_renders_to() -> None:
    folder: Path = metrics.MONITORING / "dashboards"
    assert {file.name: file.read_text() for file in folder.glob("*.json")} == _renderer().rendered()


@pytest.mark.parametrize("expression", ['rate(aviary_x_total{a="envoy_y"}[5m]) / aviary:b:c'])
def test_names_are_found_and_values_are_not(expression: str) -> None:
    assert metrics.named(expression) == {"aviary_x_total", "aviary:b:c"}
