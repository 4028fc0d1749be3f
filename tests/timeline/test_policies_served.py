"""What operators may do to the fan-out policy, and what they may not."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from aviary.timeline.v1 import timeline_service_pb2 as pb
from aviary.timeline.v1.timeline_pb2 import AuthorOverride, DeliveryMode, FanoutPolicy
from services.chassis.errors import InvalidFieldError
from services.timeline.policy.domain import Policy
from services.timeline.policy.store import MAX_OVERRIDES, PolicyStore
from services.timeline.servicer.policies import PolicyMethods

from .rig import call_by

PUSH, PULL = DeliveryMode.DELIVERY_MODE_PUSH, DeliveryMode.DELIVERY_MODE_PULL
TAKE_AWAY = DeliveryMode.DELIVERY_MODE_UNSPECIFIED
ME, OTHER = 1, 2
CALL = call_by(ME, "/aviary.timeline.v1.TimelineService/UpdateFanoutPolicy")


@pytest.fixture
def methods(store: PolicyStore) -> PolicyMethods:
    return PolicyMethods(store)


async def update(methods: PolicyMethods, **fields: Any) -> FanoutPolicy:
    reply = await methods.update_fanout_policy(pb.UpdateFanoutPolicyRequest(**fields), CALL)
    return reply.policy


async def read(methods: PolicyMethods) -> FanoutPolicy:
    return (await methods.get_fanout_policy(pb.GetFanoutPolicyRequest(), CALL)).policy


async def test_a_new_database_has_the_defaults(methods: PolicyMethods, store: PolicyStore) -> None:
    policy = await read(methods)
    assert policy == FanoutPolicy(
        pull_threshold=10_000, list_length=800, active_window=Duration(seconds=30 * 86_400)
    )
    assert await store.load() == Policy(version=1)


async def test_what_is_given_changes_and_the_rest_stays(methods: PolicyMethods) -> None:
    await update(methods, pull_threshold=50, active_window=Duration(seconds=60))
    overrides = [AuthorOverride(user_id=OTHER, mode=PUSH), AuthorOverride(user_id=ME, mode=PULL)]
    changed = await update(methods, list_length=100, overrides=overrides)
    assert changed.HasField("update_time")
    changed_at = changed.update_time
    assert changed == await read(methods)
    assert changed == FanoutPolicy(
        pull_threshold=50,
        list_length=100,
        active_window=Duration(seconds=60),
        overrides=overrides[::-1],
        update_time=changed_at,
    )
    fewer = [AuthorOverride(user_id=OTHER, mode=TAKE_AWAY), AuthorOverride(user_id=9)]
    changed = await update(methods, pull_threshold=0, overrides=fewer)
    assert list(changed.overrides) == [AuthorOverride(user_id=ME, mode=PULL)]
    assert (changed.pull_threshold, changed.list_length) == (0, 100)


@pytest.mark.parametrize(
    ("fields", "field", "limits"),
    [
        ({"pull_threshold": -1}, "pull_threshold", "0 or more"),
        ({"list_length": 99}, "list_length", "100 to 3200"),
        ({"list_length": 3_201}, "list_length", "100 to 3200"),
        ({"list_length": 0}, "list_length", "100 to 3200"),
        ({"active_window": Duration(seconds=59)}, "active_window", "60 to 31536000 s"),
        ({"active_window": Duration()}, "active_window", "60 to 31536000 s"),
        ({"active_window": Duration(seconds=365 * 86_400 + 1)}, "active_window", "60 to 31536000"),
        ({"overrides": [{"mode": PULL}]}, "overrides[0].user_id", "more than 0"),
        ({"overrides": [{"user_id": 1}, {"user_id": -1}]}, "overrides[1].user_id", "more than 0"),
        ({"overrides": [{"user_id": 1}] * 2}, "overrides[1].user_id", "once"),
        ({"overrides": [{"user_id": 1, "mode": 7}]}, "overrides[0].mode", "PUSH, PULL"),
        ({"overrides": [{"user_id": i + 1} for i in range(1_001)]}, "overrides", "1000"),
    ],
)
async def test_what_breaks_a_rule_is_refused_before_anything_is_changed(
    fields: dict[str, Any], field: str, limits: str
) -> None:
    storeless = PolicyMethods(None)  # type: ignore[arg-type]
    with pytest.raises(InvalidFieldError) as refused:
        await update(storeless, **{"pull_threshold": 5} | fields)
    assert refused.value.violations[0][0] == field
    assert limits in refused.value.message


async def test_more_overrides_in_all_are_refused_as_a_whole(methods: PolicyMethods) -> None:
    most = [{"user_id": i + 1, "mode": PULL} for i in range(MAX_OVERRIDES)]
    await update(methods, overrides=most)
    with pytest.raises(InvalidFieldError, match="1001 authors"):
        await update(methods, pull_threshold=5, overrides=[{"user_id": 5_000, "mode": PUSH}])
    assert (await read(methods)).pull_threshold == 10_000
    swap = [{"user_id": 1}, {"user_id": 5_000, "mode": PUSH}]
    assert len((await update(methods, overrides=swap)).overrides) == MAX_OVERRIDES
