"""Who may import whom."""

import pytest

from .sources import Source, sources

SERVICES = ("tweet", "graph", "timeline", "search", "notify")
ERRORS = ("services.chassis.errors",)


def ours(source: Source) -> set[str]:
    """What a file imports of ours."""
    return {name for name in source.imports() if name.split(".")[0] in {"services", "clients"}}


def of(prefix: str) -> list[Source]:
    return [s for s in sources() if s.module == prefix or s.module.startswith(prefix + ".")]


def layer(service: str, name: str) -> list[Source]:
    """A service's modules of that layer, at its top or in a package within it."""
    found = of(f"services.{service}")
    return [s for s in found if any(part.startswith(name) for part in s.module.split(".")[2:])]


def test_there_is_something_to_hold() -> None:
    assert len(of("services.chassis")) > 20
    assert len(sources()) > 60


def test_chassis_imports_no_service() -> None:
    for source in of("services.chassis"):
        for name in ours(source):
            forbidden = any(name.startswith(f"services.{service}") for service in SERVICES)
            assert not forbidden, f"{source.module} imports {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_services_meet_only_through_clients(service: str) -> None:
    allowed = (f"services.{service}", "services.chassis", "clients")
    for source in of(f"services.{service}"):
        for name in ours(source):
            assert name == "services" or name.startswith(allowed), f"{source.module}: {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_domain_imports_errors_only(service: str) -> None:
    domains = layer(service, "domain")
    assert domains
    for source in domains:
        for name in source.imports():
            mine = name.startswith((f"services.{service}.errors", *ERRORS))
            mine = mine or ".domain" in name
            package = any(s.module.startswith(f"{name}.") for s in domains)
            assert mine or package or not name.startswith(("services.", "clients", "aviary")), (
                f"{source.module} imports {name}"
            )
            driver = name.split(".")[0] in {"psycopg", "redis", "grpc", "google", "asyncio"}
            assert not driver, f"{source.module} imports {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_stores_do_not_know_servicers(service: str) -> None:
    stores = layer(service, "store")
    assert stores
    for source in stores:
        for name in ours(source):
            assert ".servicer" not in name, f"{source.module} imports {name}"
            foreign = name.startswith("clients") and not name.startswith("clients.wire")
            assert not foreign or name == "clients", f"{source.module} imports {name}"


def test_clients_import_no_service() -> None:
    for source in of("clients"):
        if source.module.startswith("clients.cli"):
            continue
        for name in ours(source):
            assert name.startswith("clients"), f"{source.module} imports {name}"


def test_the_command_line_imports_no_service() -> None:
    for source in of("clients.cli"):
        for name in ours(source):
            forbidden = any(name.startswith(f"services.{service}") for service in SERVICES)
            assert not forbidden, f"{source.module} imports {name}"


def test_only_composition_roots_open_things() -> None:
    openers = {"open_pool", "open_redis", "leased_snowflakes"}
    for service in SERVICES:
        for source in of(f"services.{service}"):
            names = {name.split(".")[-1] for name in source.imports()}
            if names & openers:
                assert source.module.split(".")[-1] in {"main", "worker"}, source.module


def test_nothing_imports_tests() -> None:
    for source in sources():
        if not source.module.startswith("tests"):
            assert not any(name.startswith("tests") for name in source.imports()), source.module


def test_no_module_without_a_name() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    for source in sources():
        assert not vague & set(source.module.split(".")), source.module
