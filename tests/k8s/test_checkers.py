"""Others' checkers: the schemas of Kubernetes, strictly, and checkov."""

import json
from pathlib import Path

import pytest
import yaml

from . import tools
from .manifests import Manifests, title

VERSIONS = ("1.35", "1.36")
"""What the manifests are made for: `metadata.labels` with the zone, PreferSameZone."""
VALIDATE = """
import sys, yaml, kubernetes_validate as kv
found = []
for doc in yaml.safe_load_all(open(sys.argv[1])):
    try:
        kv.validate(doc, sys.argv[2], strict=True)
    except kv.SchemaNotFoundError:
        found.append("no schema: " + doc["kind"])
    except kv.ValidationError as error:
        found.append(doc["kind"] + "/" + doc["metadata"]["name"] + ": " + error.message)
print("\\n".join(sorted(set(found))))
"""
OF_OPERATORS = {
    "Certificate", "Cluster", "Issuer", "ObjectStore", "PodMonitor", "PrometheusRule",
    "ScheduledBackup",
}  # fmt: skip
"""Kinds without a schema there; room.py and test_rules.py look at what matters of them."""
REASONS = yaml.safe_load((Path(__file__).parent / "checkov.yaml").read_text())


def validate(folder: Path, text: str, version: str) -> list[str]:
    file = folder / "rendered.yaml"
    file.write_text(text)
    return tools.run([tools.checkers() / "python", "-c", VALIDATE, file, version]).split("\n")[:-1]


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas(texts: dict[str, str], tmp_path: Path, version: str) -> None:
    everything = "\n---\n".join(texts.values())
    found = {line for line in validate(tmp_path, everything, version) if line}
    assert found == {f"no schema: {kind}" for kind in OF_OPERATORS}


def test_schemas_notice_an_unknown_field(production: Manifests, tmp_path: Path) -> None:
    spoilt = production.copied()
    deployment = spoilt.one("Deployment", "edge")
    deployment["spec"]["replcas"] = 3
    (line,) = validate(tmp_path, yaml.safe_dump(deployment), VERSIONS[-1])
    assert line.startswith("Deployment/edge: ")
    assert "replcas" in line


def checkov(folder: Path, text: str) -> set[tuple[str, str]]:
    """What it finds: the check and the resource."""
    file = folder / "rendered.yaml"
    file.write_text(text)
    options = ["--framework", "kubernetes", "--quiet", "--compact", "-o", "json", "--soft-fail"]
    report = json.loads(tools.run([tools.checkers() / "checkov", "-f", file, *options]))
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 10
    return {(each["check_id"], each["resource"]) for each in report["results"]["failed_checks"]}


@pytest.mark.parametrize("name", ["dev", "production"])
def test_checkov_finds_nothing_without_a_reason(
    texts: dict[str, str], tmp_path: Path, name: str
) -> None:
    found = checkov(tmp_path, texts[name])
    assert {each for each in found if each[0] not in REASONS[name]} == set()
    assert {check for check, _ in found} == set(REASONS[name]), "a reason without a finding"


def test_checkov_notices_root(production: Manifests, tmp_path: Path) -> None:
    deployment = production.copied().one("Deployment", "edge")
    deployment["spec"]["template"]["spec"].pop("securityContext")
    found = checkov(tmp_path, yaml.safe_dump(deployment))
    assert "CKV_K8S_29" in {check for check, _ in found}, title(deployment)
