"""Writes Grafana's dashboards from source.yaml; run it after a change there."""

import json
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
WIDTH, HEIGHT, ROW = 8, 8, 24


def rendered() -> dict[str, str]:
    """Each dashboard's file name and text."""
    source = yaml.safe_load((FOLDER / "source.yaml").read_text())
    shared = source.pop("shared")
    found = {}
    for name, board in source.items():
        panels = [*board["panels"], *(shared if board.get("service") else [])]
        text = json.dumps(dashboard(name, board, panels), indent=1, sort_keys=True)
        found[f"{name}.json"] = text.replace("SERVICE", board.get("service", "")) + "\n"
    return found


def dashboard(name: str, board: dict[str, Any], panels: list[dict[str, Any]]) -> dict[str, Any]:
    """One dashboard as Grafana's JSON."""
    return {
        "uid": f"aviary-{name}",
        "title": board["title"],
        "tags": ["aviary"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "hide": 2}]
        },
        "links": [{"title": "Aviary", "type": "dashboards", "tags": ["aviary"]}],
        "panels": [panel(number, each) for number, each in enumerate(panels)],
    }


def panel(number: int, each: dict[str, Any]) -> dict[str, Any]:
    """One graph, three in a row."""
    return {
        "id": number + 1,
        "title": each["title"],
        "description": each.get("why", ""),
        "type": each.get("type", "timeseries"),
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": {
            "x": number * WIDTH % ROW,
            "y": number * WIDTH // ROW * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": each["unit"], "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": legend}
            for place, (legend, expression) in enumerate(each["shows"].items())
        ],
    }


if __name__ == "__main__":
    for file, text in rendered().items():
        (FOLDER / file).write_text(text)
