"""The fan-out policy: requests of operators, whom the policy table has let through, and back."""

from collections.abc import Mapping

from aviary.timeline.v1 import timeline_pb2
from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..policy.domain import Change, Policy
from ..policy.store import MAX_OVERRIDES, PolicyStore, too_many_overrides

LENGTHS = (100, 3_200)
ACTIVE_SECONDS = (60, 365 * 24 * 3600)
MODES: Mapping[int, bool | None] = {
    timeline_pb2.DELIVERY_MODE_UNSPECIFIED: None,
    timeline_pb2.DELIVERY_MODE_PUSH: False,
    timeline_pb2.DELIVERY_MODE_PULL: True,
}
"""Whether an override pulls; None takes it away."""


class PolicyMethods:
    """Reading and changing the policy; both speak to the truth, not to what this process knows."""

    def __init__(self, policies: PolicyStore) -> None:
        self._policy_store = policies

    async def get_fanout_policy(
        self, _request: pb.GetFanoutPolicyRequest, _call: Call
    ) -> pb.GetFanoutPolicyResponse:
        """The policy."""
        policy = await self._policy_store.load()
        assert policy is not None, "no version is 0"
        return pb.GetFanoutPolicyResponse(policy=_message(policy))

    async def update_fanout_policy(
        self, request: pb.UpdateFanoutPolicyRequest, _call: Call
    ) -> pb.UpdateFanoutPolicyResponse:
        """Change what is given, all of it or nothing."""
        change = _change(request)
        policy = await self._policy_store.update(change)
        return pb.UpdateFanoutPolicyResponse(policy=_message(policy))


def _change(request: pb.UpdateFanoutPolicyRequest) -> Change:
    return Change(
        pull_threshold=_threshold(request),
        list_length=_within("list_length", request.list_length, LENGTHS)
        if request.HasField("list_length")
        else None,
        active_seconds=_within("active_window", request.active_window.seconds, ACTIVE_SECONDS, " s")
        if request.HasField("active_window")
        else None,
        overrides=_overrides(request),
    )


def _threshold(request: pb.UpdateFanoutPolicyRequest) -> int | None:
    if not request.HasField("pull_threshold"):
        return None
    if request.pull_threshold < 0:
        problem = f"is {request.pull_threshold}; it must be 0 or more"
        raise InvalidFieldError(field="pull_threshold", problem=problem)
    return request.pull_threshold


def _within(field: str, value: int, limits: tuple[int, int], unit: str = "") -> int:
    least, most = limits
    if not least <= value <= most:
        problem = f"is {value}{unit}; {least} to {most}{unit} are allowed"
        raise InvalidFieldError(field=field, problem=problem)
    return value


def _overrides(request: pb.UpdateFanoutPolicyRequest) -> dict[int, bool | None]:
    if len(request.overrides) > MAX_OVERRIDES:
        raise too_many_overrides(len(request.overrides))
    found: dict[int, bool | None] = {}
    for number, override in enumerate(request.overrides):
        field = f"overrides[{number}]"
        if override.user_id <= 0:
            problem = f"is {override.user_id}; it must be more than 0"
            raise InvalidFieldError(field=f"{field}.user_id", problem=problem)
        if override.user_id in found:
            problem = f"names {override.user_id} once more; each author is named once"
            raise InvalidFieldError(field=f"{field}.user_id", problem=problem)
        if override.mode not in MODES:
            problem = f"is {override.mode}; it must be PUSH, PULL or UNSPECIFIED"
            raise InvalidFieldError(field=f"{field}.mode", problem=problem)
        found[override.user_id] = MODES[override.mode]
    return found


def _message(policy: Policy) -> timeline_pb2.FanoutPolicy:
    message = timeline_pb2.FanoutPolicy(
        pull_threshold=policy.pull_threshold,
        list_length=policy.list_length,
        overrides=[
            timeline_pb2.AuthorOverride(
                user_id=user_id,
                mode=timeline_pb2.DELIVERY_MODE_PULL if pulled else timeline_pb2.DELIVERY_MODE_PUSH,
            )
            for user_id, pulled in sorted(policy.overrides.items())
        ],
    )
    message.active_window.FromSeconds(policy.active_seconds)
    if policy.update_time is not None:
        message.update_time.FromDatetime(policy.update_time)
    return message
