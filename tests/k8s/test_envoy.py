"""What the overlays tell the edge makes a configuration that Envoy accepts."""

import subprocess
from dataclasses import replace
from pathlib import Path

import yaml

from services.chassis.config import Settings
from services.chassis.hosts.process import envoy_binary
from services.edge import render
from services.local.keys import ensure_keys

from .manifests import Manifests


def test_envoy_accepts_the_edge_s_settings(overlay: Manifests, tmp_path: Path) -> None:
    values = overlay.values(overlay.one("Deployment", "edge"))
    ours = {key: value for key, value in values.items() if key.startswith("AVIARY_")}
    told = Settings.from_environ(ours | {"AVIARY_ZONE": "zone-a", "AVIARY_JWKS_FILE": ""})
    settings = replace(told, home=tmp_path)
    ensure_keys(settings)
    config = render.write(settings, instance="edge-1", admin=tmp_path / "admin.sock")
    run = subprocess.run(
        [envoy_binary(), "--mode", "validate", "--config-path", str(config)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    clusters = yaml.safe_load(config.read_text())["static_resources"]["clusters"]
    assert {"tweet", "tweet-write", "graph-write", "timeline-write"} <= {
        c["name"] for c in clusters
    }
