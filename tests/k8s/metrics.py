"""The metrics that the code makes, read from its constructors, and those that expressions name."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.house.sources import sources

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "k8s" / "components" / "monitoring"
DOCUMENT = ROOT / "docs" / "metrics.md"
ENDINGS = {
    "Counter": ("_total",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_count", "_sum"),
}
"""What Prometheus sees of each type."""
FAMILIES = ("aviary_", "envoy_", "cnpg_", "process_", "python_", "aviary:")
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True)
class Metric:
    """One constructor."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...]

    @property
    def samples(self) -> set[str]:
        return {self.name + ending for ending in ENDINGS[self.kind]}


def in_code() -> Iterator[Metric]:
    """Every metric that a constructor in services/ makes."""
    for source in sources():
        if not source.module.startswith("services."):
            continue
        for node in ast.walk(source.tree):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if named and node.func.id in ENDINGS:  # type: ignore[attr-defined]
                yield from _metric(node)  # type: ignore[arg-type]


def _metric(node: ast.Call) -> Iterator[Metric]:
    texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
    if len(texts) < 2 or not isinstance(node.func, ast.Name):
        return  # a `collections.Counter`
    lists = [each for each in node.args if isinstance(each, ast.List)]
    labels = tuple(str(each.value) for each in lists[0].elts) if lists else ()  # type: ignore[attr-defined]
    yield Metric(str(texts[0]), node.func.id, str(texts[1]), labels)


def documented() -> set[Metric]:
    """Every row of the page's first table."""
    rows = re.findall(
        r"^\| `(aviary_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", DOCUMENT.read_text(), re.M
    )
    return {
        Metric(name, kind.capitalize(), meaning, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, meaning in rows
    }


def of_others() -> set[str]:
    """Metrics that are not ours, from the page's second table."""
    return set(re.findall(r"^\| `((?:envoy|cnpg|process)_\w+)` \|", DOCUMENT.read_text(), re.M))


def rules() -> list[dict[str, Any]]:
    """Every recording and alerting rule."""
    spec = yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]
    return [rule for group in spec["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of rules, dashboards and the autoscalers' adapter, and where it is."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for file in sorted((MONITORING / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{file.name}: {panel['title']}", target["expr"]
    adapter = yaml.safe_load((ROOT / "k8s/components/autoscaling/adapter.yaml").read_text())
    for rule in [*adapter["rules"]["custom"], *adapter["rules"]["external"]]:
        yield "adapter.yaml", rule["seriesQuery"]


def named(expression: str) -> set[str]:
    """The metrics that an expression names; labels and their quoted values are none."""
    bare = re.sub(r'"[^"]*"|\'[^\']*\'', "", expression)
    bare = re.sub(r"\{[^}]*\}|\b(by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    return {word for word in NAME.findall(bare) if word.startswith(FAMILIES)}


def labels_named(expression: str) -> set[tuple[str, str]]:
    """Metrics with the labels that their selectors name."""
    found = set()
    for metric, inside in re.findall(r"([a-z_:]+[a-z0-9_:]*)\{([^}]*)\}", expression):
        found |= {(metric, label) for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\"", inside)}
    return found
