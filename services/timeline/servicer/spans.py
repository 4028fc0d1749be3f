"""What requests for pages have in common: bounds, and positions in page tokens."""

from aviary.timeline.v1 import timeline_service_pb2 as pb
from services.chassis.errors import InvalidFieldError, PageTokenError
from services.chassis.paging import decode_page_token

from ..domain import NOTHING_PROVEN


def bounds_of(
    request: pb.GetHomeTimelineRequest | pb.GetUserTimelineRequest | pb.GetMentionTimelineRequest,
) -> tuple[int, int]:
    """since_id and max_id, which shape the list."""
    for field, value in (("since_id", request.since_id), ("max_id", request.max_id)):
        if value < 0:
            raise InvalidFieldError(field=field, problem=f"is {value}; it must be 0 or more")
    return request.since_id, request.max_id


def position_of(token: str, least: int, most: int, binding: tuple[object, ...]) -> tuple[int, ...]:
    """The position that a page token holds, of so many numbers; empty without a token."""
    position = decode_page_token(token, *binding)
    if position and (not least <= len(position) <= most or min(position) < 0):
        raise PageTokenError
    return position


def before_of(max_id: int, last: int) -> int:
    """The id below which a page begins: behind the page before, and from `max_id` on."""
    return last or (max_id + 1 if 0 < max_id < NOTHING_PROVEN else NOTHING_PROVEN)
