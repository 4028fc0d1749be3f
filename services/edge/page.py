"""The landing page: `clients/web/index.html` with the table of the API."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from services.chassis.policy import Access

from .contract import CLUSTERS, Method
from .schemas import Contract

NEEDS = {Access.PUBLIC: "open", Access.OPERATOR: "operator"}


def render(descriptors: FileDescriptorSet, methods: Iterable[Method], url: str) -> str:
    """The page as it is served."""
    page = Template(files("clients").joinpath("web", "index.html").read_text())
    contract = Contract(descriptors)
    called = [method for method in methods if method.bindings]
    groups = [_group(contract, name, called) for name in CLUSTERS]
    return page.substitute(url=escape(url), count=len(called), api="\n".join(groups))


def _group(contract: Contract, service: str, methods: Iterable[Method]) -> str:
    """One service's calls, folded but for the first service."""
    rows = [
        row for method in methods if method.service == service for row in _rows(contract, method)
    ]
    first = " open" if service == next(iter(CLUSTERS)) else ""
    return (
        f"<details{first}><summary>{_short(service)}<small>{len(rows)} paths</small></summary>\n"
        f"<table>\n{''.join(rows)}</table></details>"
    )


def _rows(contract: Contract, method: Method) -> list[str]:
    needs = NEEDS.get(method.rule.access, "token")
    return [
        f'<tr><td><b class="{binding.verb.lower()}">{binding.verb}</b></td>'
        f"<td><code>{escape(binding.path)}</code><p>{escape(contract.summary(method.name))}</p></td>"
        f'<td><i class="{needs}">{needs}</i></td></tr>\n'
        for binding in method.bindings
    ]


def _short(service: str) -> str:
    return service.rpartition(".")[2].removesuffix("Service")
