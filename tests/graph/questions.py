"""Asking the visibility engine, by both methods that tell of it."""

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1 import visibility_pb2
from aviary.graph.v1.visibility_pb2 import SURFACE_HOME_TIMELINE
from services.graph.visibility import Rule

from .world import World, call


async def verdicts(
    world: World, viewer: int, surface: int, *subjects: tuple[int, int, int]
) -> list[Rule]:
    request = pb.CheckVisibilityRequest(
        viewer_user_id=viewer,
        surface=visibility_pb2.Surface.Name(surface),
        subjects=[
            visibility_pb2.VisibilitySubject(
                author_user_id=author, retweeter_user_id=retweeter, in_reply_to_user_id=answered
            )
            for author, retweeter, answered in subjects
        ],
    )
    found = (await world.graph.check_visibility(request, call())).verdicts
    assert all(each.visible == (each.rule == 0) for each in found)
    return [Rule(each.rule) for each in found]


async def rules(
    world: World, *viewers: int, surface: int = SURFACE_HOME_TIMELINE, mutual: bool = False
) -> list[pb.ViewerRules]:
    request = pb.BatchGetViewerRulesRequest(
        user_ids=viewers, surface=visibility_pb2.Surface.Name(surface), include_mutual=mutual
    )
    return list((await world.graph.batch_get_viewer_rules(request, call())).results)
