"""The policy table's callers are those who call, and no others."""

import pytest

from services.chassis.hosts.mesh import PROCESSES
from services.chassis.policy import Policy

from .calls import called_by, clients, constructed_in, methods_of, unseen_in
from .test_layers import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_call_what_it_calls(service: str) -> None:
    allowed = {path for path, callers in Policy.load().callers.items() if service in callers}
    assert allowed == called_by(service).keys()


@pytest.mark.parametrize("service", SERVICES)
def test_no_call_goes_unseen(service: str) -> None:
    assert unseen_in(service) == set()


def test_only_services_are_callers() -> None:
    callers = {caller for callers in Policy.load().callers.values() for caller in callers}
    assert callers <= set(SERVICES)
    assert PROCESSES.keys() <= callers


def test_every_client_calls_something_and_is_known() -> None:
    assert clients().keys() >= {f"{service.capitalize()}Client" for service in SERVICES}
    for client in clients():
        assert sum(bool(paths) for paths in methods_of(client).values()) > 5, client
    assert {each for service in SERVICES for each in constructed_in(service)} == {
        "TweetClient",
        "GraphClient",
        "SearchClient",
    }
