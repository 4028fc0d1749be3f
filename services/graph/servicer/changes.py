"""What an UpdateUserRequest changes: an explicit list of fields, and nothing else."""

from aviary.graph.v1 import graph_service_pb2 as pb
from services.chassis.errors import InvalidFieldError

from .. import domain
from ..domain import ProfileChange

CHANGEABLE = (
    *("user_name", "display_name", "description", "email", "protected", "password"),
    "mention_policy",
)


def changed_fields(request: pb.UpdateUserRequest) -> set[str]:
    """The fields that change: those given, or those of them, and others, that the mask names."""
    if not request.HasField("update_mask"):
        return {name for name in CHANGEABLE if request.HasField(name)}
    for path in request.update_mask.paths:
        if path not in CHANGEABLE:
            raise InvalidFieldError(
                field="update_mask", problem=f"names {path[:40]!r}, which cannot be changed"
            )
    return set(request.update_mask.paths)


def profile_change_of(request: pb.UpdateUserRequest, user_name: str) -> ProfileChange:
    """The change, checked, but for the password's hash; `user_name` is the name until now."""
    fields = changed_fields(request)
    if "password" in fields:
        domain.check_password(request.password)
    change = ProfileChange()
    if "protected" in fields:
        change = change._replace(protected=request.protected)
    if "user_name" in fields:
        user_name = domain.check_user_name(request.user_name)
        change = change._replace(user_name=user_name)
    if "display_name" in fields:
        text = domain.check_text("display_name", request.display_name, domain.MAX_DISPLAY_NAME)
        change = change._replace(display_name=text or user_name)
    if "description" in fields:
        text = request.description
        domain.check_text("description", text, domain.MAX_DESCRIPTION, lines=True)
        change = change._replace(description=text)
    if "email" in fields:
        change = change._replace(email=domain.check_email(request.email))
    if "mention_policy" in fields:
        policy = domain.check_mention_policy(request.mention_policy or domain.EVERYONE)
        change = change._replace(mention_policy=policy)
    return change
