"""The policy table: who may call which method.

`envoy/policy.yaml` is the one table, keyed by gRPC method; the edge renders its routes from it and
every service enforces it again. A method that is not in the table may not be served.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType

import yaml

from .call import Call
from .errors import ScopeMissingError, UnauthenticatedError

OPERATOR_SCOPE = "operator"


class Access(Enum):
    """Who may call a method."""

    PUBLIC = "public"
    """Anybody; a token, where one is sent, must be valid."""
    USER = "user"
    """Whoever has a user's token."""
    BODY_TOKEN = "body_token"  # noqa: S105 - the name of a rule
    """As `user`, but the token may be in the request's body, where only the service sees it."""
    OPERATOR = "operator"
    """Whoever's token has the operator scope."""
    INTERNAL = "internal"
    """Other services only: the edge has no route to it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: `quota` names the bucket that the edge counts the call in."""

    access: Access
    quota: str


class PolicyError(ValueError):
    """The table and the contract do not fit together."""


COMMON = {
    "/grpc.health.v1.Health/Check": Rule(Access.INTERNAL, ""),
    "/grpc.health.v1.Health/List": Rule(Access.INTERNAL, ""),
    "/grpc.health.v1.Health/Watch": Rule(Access.INTERNAL, ""),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Rule(Access.INTERNAL, ""),
}
"""What every replica serves."""


class Policy:
    """The table, by gRPC path (`/aviary.tweet.v1.TweetService/GetTweet`)."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        callers: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self.rules = {**COMMON, **rules}
        self.callers = callers
        """The services that call a method, by path; the edge is not among them."""

    @classmethod
    def load(cls, path: Path | None = None) -> "Policy":
        """Read the table from its file."""
        table = yaml.safe_load((path or policy_path()).read_text())
        rules: dict[str, Rule] = {}
        for service, methods in table["services"].items():
            for method, (access, quota) in methods.items():
                rules[f"/{service}/{method}"] = Rule(Access(access), quota)
        callers = {
            f"/{service}/{method}": tuple(names)
            for service, methods in table.get("callers", {}).items()
            for method, names in methods.items()
        }
        if unknown := callers.keys() - rules.keys():
            raise PolicyError(f"callers of unknown methods: {', '.join(sorted(unknown))}")
        return cls(rules, callers)

    def authorizer(self, path: str) -> Callable[[Call], None]:
        """The check of one method, chosen once at start."""
        rule = self.rules.get(path)
        if rule is None:
            raise PolicyError(f"{path} is not in the policy table")
        return _CHECKS[rule.access]


def policy_path() -> Path:
    """Where the table is: in the source tree's `envoy/`, or beside the installed package."""
    return templates() / "policy.yaml"


def templates() -> Path:
    """The folder of Envoy's configuration and the policy table."""
    source = Path(__file__).parents[2] / "envoy"
    # Beside an installed package lies another `envoy`: the wheel with Envoy itself.
    if (source / "policy.yaml").is_file():
        return source
    return Path(__file__).parents[1] / "edge" / "templates"


def _anybody(_call: Call) -> None:
    return


def _user(call: Call) -> None:
    if not call.caller.user_id:
        raise UnauthenticatedError


def _operator(call: Call) -> None:
    _user(call)
    if OPERATOR_SCOPE not in call.caller.scopes:
        raise ScopeMissingError(scope=OPERATOR_SCOPE)


_CHECKS: Mapping[Access, Callable[[Call], None]] = {
    Access.PUBLIC: _anybody,
    Access.USER: _user,
    Access.BODY_TOKEN: _anybody,
    Access.OPERATOR: _operator,
    Access.INTERNAL: _anybody,
}
