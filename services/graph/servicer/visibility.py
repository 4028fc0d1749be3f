"""The visibility engine's verdicts, for the services that show things."""

from collections.abc import Sequence

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1 import visibility_pb2
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..domain_follows import pack_ids
from ..store.relations import Followees, PostgresRelations
from ..visibility import EVERYWHERE, Rule, Subject, Surface, rules_of, verdict
from .mutes import timestamp_at

MAX_SUBJECTS = 1_000
MAX_VIEWERS = 256
FOLLOWS_NOBODY = Followees(b"", b"", {})


class VisibilityMethods:
    """CheckVisibility, BatchGetViewerRules."""

    def __init__(self, relations: PostgresRelations) -> None:
        self._relations = relations
        names = visibility_pb2.VisibilityRule
        self._verdicts = {
            rule: visibility_pb2.VisibilityVerdict(visible=not rule, rule=names.Name(rule))
            for rule in Rule
        }

    async def check_visibility(
        self, request: pb.CheckVisibilityRequest, _call: Call
    ) -> pb.CheckVisibilityResponse:
        """A verdict for each subject."""
        surface = _check_surface(request.surface)
        count = len(request.subjects)
        if count > MAX_SUBJECTS:
            problem = f"holds {count} subjects; at most {MAX_SUBJECTS} are allowed"
            raise InvalidFieldError(field="subjects", problem=problem)
        asked = [
            (
                one.viewer_user_id or request.viewer_user_id,
                Subject(one.author_user_id, one.retweeter_user_id, one.in_reply_to_user_id),
            )
            for one in request.subjects
        ]
        pairs = {(viewer_id, user_id) for viewer_id, subject in asked for user_id in subject}
        relations = await self._relations.between(pairs) if pairs else {}
        rules = [
            verdict(surface, viewer_id, subject, relations.get(viewer_id, {}))
            for viewer_id, subject in asked
        ]
        return pb.CheckVisibilityResponse(verdicts=[self._verdicts[rule] for rule in rules])

    async def batch_get_viewer_rules(
        self, request: pb.BatchGetViewerRulesRequest, _call: Call
    ) -> pb.BatchGetViewerRulesResponse:
        """The rules of each viewer."""
        surface = _check_surface(request.surface)
        viewer_ids: Sequence[int] = request.user_ids
        if not 1 <= len(viewer_ids) <= MAX_VIEWERS:
            problem = f"holds {len(viewer_ids)} viewers; 1 to {MAX_VIEWERS} are allowed"
            raise InvalidFieldError(field="user_ids", problem=problem)
        found = await self._relations.followees(
            list(set(viewer_ids)), include_mutual=request.include_mutual
        )
        return pb.BatchGetViewerRulesResponse(
            results=[
                _rules_message(surface, viewer_id, found.get(viewer_id, FOLLOWS_NOBODY))
                for viewer_id in viewer_ids
            ]
        )


def _rules_message(surface: Surface, viewer_id: int, followees: Followees) -> pb.ViewerRules:
    message = pb.ViewerRules(
        user_id=viewer_id,
        following_ids=followees.following_ids,
        mutual_ids=followees.mutual_ids,
    )
    if followees.exceptional:
        rules = rules_of(surface, viewer_id, followees.exceptional.items())
        message.hidden_ids = pack_ids(rules.hidden)
        message.hidden_retweeter_ids = pack_ids(rules.hidden_retweeters)
        if rules.expire_time:
            message.expire_time.CopyFrom(timestamp_at(rules.expire_time))
    return message


def _check_surface(number: int) -> Surface:
    if number not in EVERYWHERE:
        raise InvalidFieldError(field="surface", problem="is not a surface that things show on")
    return Surface(number)
