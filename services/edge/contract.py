"""The contract as the edge reads it: methods, their HTTP rules and their place in the policy."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto

from services.chassis.policy import Access, Policy, Rule

CLUSTERS = {
    "aviary.tweet.v1.TweetService": "tweet",
    "aviary.graph.v1.GraphService": "graph",
    "aviary.timeline.v1.TimelineService": "timeline",
    "aviary.search.v1.SearchService": "search",
    "aviary.notify.v1.NotifyService": "notify",
}
"""Services that the edge leads to, and their clusters."""
READS = {"read", "stream"}
"""Quotas of methods that only read."""
VERBS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class Binding:
    """One way to call a method over REST: verb in capitals, path template, the body's field."""

    verb: str
    path: str
    body: str


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC of the contract."""

    service: str
    descriptor: MethodDescriptorProto
    rule: Rule
    bindings: tuple[Binding, ...]

    @property
    def path(self) -> str:
        """The gRPC path."""
        return f"/{self.service}/{self.descriptor.name}"

    @property
    def name(self) -> str:
        """The full name, as descriptors have it."""
        return f".{self.service}.{self.descriptor.name}"

    @property
    def cluster(self) -> str:
        """The cluster that serves it; empty where the edge leads to none."""
        return CLUSTERS.get(self.service, "")

    @property
    def reads(self) -> bool:
        """Whether it only reads: by its quota. Logging in is none of those, it costs as much."""
        return self.rule.quota in READS

    @property
    def internal(self) -> bool:
        """Whether it is closed at the edge."""
        return self.rule.access is Access.INTERNAL

    @property
    def streams(self) -> bool:
        """Whether requests or replies stream."""
        return self.descriptor.client_streaming or self.descriptor.server_streaming


class ContractError(ValueError):
    """The policy table and the contract do not fit together."""


def descriptors_path() -> Path:
    """The descriptor set, as built from the protos."""
    return Path(str(files("aviary").joinpath("descriptors.binpb")))


def read_descriptors() -> FileDescriptorSet:
    """Every message and service, with the comments of ours."""
    return FileDescriptorSet.FromString(descriptors_path().read_bytes())


def methods(descriptors: FileDescriptorSet, policy: Policy) -> list[Method]:
    """Every method of the contract; ContractError for one that the policy table lacks."""
    found = []
    for file in descriptors.file:
        for service in file.service:
            name = f"{file.package}.{service.name}"
            for method in service.method:
                rule = policy.rules.get(f"/{name}/{method.name}")
                if rule is None:
                    raise ContractError(f"/{name}/{method.name} is not in the policy table")
                found.append(Method(name, method, rule, tuple(bindings(method))))
    for each in found:
        if each.internal and each.bindings:
            raise ContractError(f"{each.path} is internal and has an HTTP rule")
        if not each.internal and not each.cluster:
            raise ContractError(f"{each.path} is not internal and no cluster serves it")
    return found


def bindings(method: MethodDescriptorProto) -> Iterator[Binding]:
    """A method's HTTP rules."""
    if not method.options.HasExtension(annotations_pb2.http):
        return
    rule: http_pb2.HttpRule = method.options.Extensions[annotations_pb2.http]
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        if verb not in VERBS:
            raise ContractError(f"{method.name}: the edge does not know the verb {verb}")
        yield Binding(verb.upper(), getattr(each, verb), each.body)
