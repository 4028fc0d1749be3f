"""What is rendered: Envoy accepts it, and it covers the contract."""

import json
import subprocess
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.chassis.config import Settings
from services.chassis.hosts import clusters
from services.chassis.hosts.process import envoy_binary
from services.chassis.policy import COMMON, Access, Policy, Rule, policy_path
from services.edge import contract, openapi, page, render
from services.edge.quotas import Plans
from services.local.keys import ensure_keys

DESCRIPTORS = contract.read_descriptors()
METHODS = contract.methods(DESCRIPTORS, Policy.load())
URL = "http://127.0.0.1:8080"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = replace(Settings(), home=tmp_path, metrics_port=9100)
    ensure_keys(made)
    return made


ZONES = {
    "zone": "a",
    "edge_address": "ipv4:127.0.0.1:1,127.0.0.1:2",
    "tweet_address": "ipv4:127.0.0.1:3,127.0.0.1:4",
    "endpoint_zones": "127.0.0.1:1=a,127.0.0.1:2=b,127.0.0.1:3=a,127.0.0.1:4=b",
}


@pytest.mark.parametrize(
    "changed",
    [
        {"bind_address": "127.0.0.1"},
        {"bind_address": "0.0.0.0"},
        {"bind_address": "::1"},
        ZONES,
        {"otlp_endpoint": "http://collector:4318", "otlp_ratio": 0.1},
        {"otlp_endpoint": "https://collector"},
    ],
)
def test_envoy_accepts_the_configuration(settings: Settings, changed: dict[str, Any]) -> None:
    settings = replace(settings, **changed)
    config = render.write(settings, instance="edge", admin=settings.home / "admin.sock")
    command = [envoy_binary(), "--mode", "validate", "--config-path", str(config)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    # Whatever Envoy is going to drop is said here first.
    warnings = [line for line in run.stderr.splitlines() if "[warning]" in line]
    assert not warnings


def test_the_metrics_listener_can_be_left_out(settings: Settings) -> None:
    config = render.write(
        replace(settings, metrics_port=0), instance="edge", admin=settings.home / "admin.sock"
    )
    listeners = yaml.safe_load(config.read_text())["static_resources"]["listeners"]
    assert [listener["name"] for listener in listeners] == ["edge"]


def test_policy_and_contract_name_the_same_methods() -> None:
    assert {method.path for method in METHODS} | set(COMMON) == set(Policy.load().rules)


def test_the_policy_table_names_no_method_twice() -> None:
    rules, _, callers = policy_path().read_text().partition("\ncallers:\n")
    policy = Policy.load()
    for text, known in ((rules, len(policy.rules) - len(COMMON)), (callers, len(policy.callers))):
        lines = [line.strip() for line in text.splitlines() if ": [" in line]
        assert len([line for line in lines if not line.startswith("#")]) == known


def test_methods_are_internal_exactly_where_they_have_no_rest_path() -> None:
    for method in METHODS:
        assert method.internal == (not method.bindings), method.path


def test_a_method_without_a_rule_is_refused() -> None:
    rules = dict(Policy.load().rules)
    del rules["/aviary.tweet.v1.TweetService/GetTweet"]
    with pytest.raises(contract.ContractError, match="GetTweet is not in the policy table"):
        contract.methods(DESCRIPTORS, Policy(rules))


def test_an_internal_method_with_a_rest_path_is_refused() -> None:
    rules = Policy.load().rules | {
        "/aviary.tweet.v1.TweetService/GetTweet": Rule(Access.INTERNAL, "none")
    }
    with pytest.raises(contract.ContractError, match="GetTweet is internal"):
        contract.methods(DESCRIPTORS, Policy(rules))


def test_every_plan_has_every_quota_and_waits_of_a_second_suffice() -> None:
    quotas = {method.rule.quota for method in METHODS if not method.internal}
    for plan, limits in Plans.load().limits.items():
        assert set(limits) == quotas, plan
        # Retry-After is a constant second: a second must give back at least one call.
        assert min(limits.values()) >= 60, plan


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8081", [("127.0.0.1", 8081)]),
        ("dns:///tweet.aviary.svc:80", [("tweet.aviary.svc", 80)]),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", [("127.0.0.1", 1), ("127.0.0.1", 2)]),
        ("[::1]:8081", [("::1", 8081)]),
    ],
)
def test_addresses(address: str, expected: list[tuple[str, int]]) -> None:
    (group,) = clusters.endpoints(address)
    assert sockets_of(group) == expected
    assert "locality" not in group


def test_endpoints_are_grouped_by_zone() -> None:
    zones = {"127.0.0.1:1": "a", "127.0.0.1:3": "a", "127.0.0.1:2": "b"}
    groups = clusters.endpoints("ipv4:127.0.0.1:1,127.0.0.1:2,127.0.0.1:3", zones)
    found = {group["locality"]["zone"]: sockets_of(group) for group in groups}
    assert found == {"a": [("127.0.0.1", 1), ("127.0.0.1", 3)], "b": [("127.0.0.1", 2)]}


def sockets_of(group: dict[str, Any]) -> list[tuple[str, int]]:
    sockets = [each["endpoint"]["address"]["socket_address"] for each in group["lb_endpoints"]]
    return [(each["address"], each["port_value"]) for each in sockets]


def test_openapi_describes_every_path() -> None:
    document = openapi.describe(DESCRIPTORS, METHODS, URL)
    described = {(v.upper(), path) for path, verbs in document["paths"].items() for v in verbs}
    assert described == {(b.verb, b.path) for method in METHODS for b in method.bindings}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            assert operation["summary"], (verb, path)


def test_openapi_has_no_dangling_reference() -> None:
    document = openapi.describe(DESCRIPTORS, METHODS, URL)
    names = [part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]]
    assert set(names) == set(document["components"]["schemas"])


def test_openapi_tells_where_each_argument_goes() -> None:
    paths = openapi.describe(DESCRIPTORS, METHODS, URL)["paths"]
    follow = paths["/api/v1/users/{user_id}/following/{target_user_id}"]["put"]
    assert {(p["name"], p["in"]) for p in follow["parameters"]} == {
        ("user_id", "path"),
        ("target_user_id", "path"),
    }
    body = follow["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert "target_user_id" not in body
    home = paths["/api/v1/home_timeline"]["get"]
    assert {p["name"] for p in home["parameters"]} >= {"user_id", "page_size", "page_token"}
    assert home["security"] == [{"token": []}]


def test_the_page_shows_every_path_and_needs_nothing_from_elsewhere() -> None:
    text = page.render(DESCRIPTORS, METHODS, URL)
    for method in METHODS:
        for binding in method.bindings:
            assert f"<code>{binding.path}</code>" in text
    template = files("clients").joinpath("web", "index.html").read_text()
    assert "<script" not in template
    assert "http" not in template.replace("http-equiv", "").replace(
        "http://www.w3.org/2000/svg", ""
    )


def test_writes_may_have_replicas_of_their_own(settings: Settings) -> None:
    apart = replace(settings, tweet_write_address="dns:///tweet-write:8081")
    found = {}
    for name, each in {"together": settings, "apart": apart}.items():
        config = yaml.safe_load(
            render.write(each, instance="edge", admin=settings.home / "admin.sock").read_text()
        )["static_resources"]
        manager = config["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        routes = manager["route_config"]["virtual_hosts"][0]["routes"]
        found[name] = {
            r["match"]["path"].rpartition("/")[2]: r["route"]["cluster"]
            for r in routes
            if "route" in r
        }
        clusters = {cluster["name"] for cluster in config["clusters"]}
        assert set(found[name].values()) <= clusters
    changed = {m for m, cluster in found["apart"].items() if cluster != found["together"][m]}
    assert {found["apart"][method] for method in changed} == {"tweet-write"}
    assert {"CreateTweet", "DeleteTweet", "Retweet", "CreateMedia"} <= changed
    assert not {"GetTweet", "GetHomeTimeline", "Follow", "StreamHomeTimeline"} & changed
