"""Which replicas there are, and in which zones."""

from collections import Counter
from pathlib import Path

import pytest

from services.chassis.config import Settings
from services.local import folders
from services.local.errors import (
    DatabasesElsewhereError,
    UnknownDatabasesError,
    UnknownRedisError,
)
from services.local.layout import Replica, kind_of, replicas
from services.local.processes import NEEDS, SERVICES, plan


def test_one_of_each_keeps_its_plain_name() -> None:
    assert [row.name for row in replicas(SERVICES, Settings())] == list(SERVICES)


def test_two_replicas_over_three_zones_load_them_alike() -> None:
    rows = replicas(SERVICES, Settings(local_replicas=2, local_zones=3))
    zones = Counter(row.zone for row in rows)
    assert set(zones) == {"zone-a", "zone-b", "zone-c"}
    assert max(zones.values()) - min(zones.values()) <= 1
    for kind in NEEDS:
        own = [row.zone for row in rows if row.kind == kind]
        assert len(own) == len(set(own)) == (3 if kind == "edge" else 2)


def test_names_tell_service_shard_and_number() -> None:
    row = Replica("search-1.2", "zone-a")
    assert (row.kind, row.shard, row.number) == ("search", 1, 2)
    assert kind_of("redis-sentinel.3") == "redis"


def test_every_replica_is_told_where_all_others_are(tmp_path: Path) -> None:
    asked = Settings(home=tmp_path, local_replicas=2, local_zones=2, local_search_shards=2)
    made = plan(asked, folders.prepare(tmp_path))
    rows = {row.name: row for row in made.processes}
    settings = Settings.from_environ(rows["search-1.2"].environ)
    tweets = [f"127.0.0.1:{rows[name].ports['grpc']}" for name in ("tweet", "tweet.2")]
    assert settings.tweet_address == "ipv4:" + ",".join(tweets)
    assert settings.zone == rows["search-1.2"].zone
    assert settings.search_shard == 1
    assert settings.search_folder == tmp_path / "search" / "1-of-2.2"
    assert [len(shard.split(",")) for shard in settings.search_shards.split(";")] == [2, 2]
    zones = dict(pair.split("=") for pair in settings.endpoint_zones.split(","))
    assert zones[tweets[1]] == rows["tweet.2"].zone
    assert rows["timeline"].needs >= {"tweet", "tweet.2", "graph.2", "postgres.3", "redis.2"}
    ports = [port for row in made.processes for port in row.ports.values()]
    assert len(ports) == len(set(ports))


def test_an_unknown_redis_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownRedisError, match="valkey"):
        plan(Settings(home=tmp_path, local_redis="valkey"), folders.prepare(tmp_path))


def test_each_database_on_a_server_of_its_own(tmp_path: Path) -> None:
    """S001-77: a service needs the server of its own database, a worker that of its service."""
    settings = Settings(home=tmp_path, local_databases="separate", notify_dsn="host=elsewhere")
    made = plan(settings, folders.prepare(tmp_path))
    needs = {
        row.name: [n for n in sorted(row.needs) if kind_of(n) == "postgres"]
        for row in made.processes
        if row.ports
    }
    assert needs == {
        "tweet": ["postgres-tweet"],
        "graph": ["postgres-graph"],
        "timeline": ["postgres-timeline"],
        "fanout": ["postgres-timeline"],
        "search": ["postgres-search"],
        "trends": ["postgres-search"],
        "notify": [],
        "notifier": [],
        "edge": [],
    }
    found = made.settings
    assert found.notify_dsn == "host=elsewhere"
    assert len({found.tweet_dsn.split()[0], found.graph_dsn.split()[0]}) == 2


@pytest.mark.parametrize(("layout", "zones"), [("citus", 1), ("separate", 2)])
def test_an_unknown_layout_of_databases_is_named(tmp_path: Path, layout: str, zones: int) -> None:
    settings = Settings(home=tmp_path, local_databases=layout, local_zones=zones)
    with pytest.raises(UnknownDatabasesError, match=f"{layout}; --databases takes single"):
        plan(settings, folders.prepare(tmp_path))


@pytest.mark.parametrize(
    ("folder", "layout", "other"),
    [("data", "separate", "single"), ("data-graph", "single", "separate"), ("data-graph", "", "s")],
)
def test_databases_are_not_left_behind(
    tmp_path: Path, folder: str, layout: str, other: str
) -> None:
    places = folders.prepare(tmp_path)
    (places.postgres / folder).mkdir()
    with pytest.raises(DatabasesElsewhereError, match=f"{folder} holds .* --databases {other}"):
        plan(Settings(home=tmp_path, local_databases=layout), places)
