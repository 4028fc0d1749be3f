"""GetPreferences, UpdatePreferences."""

from aviary.notify.v1 import notify_service_pb2 as pb
from aviary.notify.v1 import preferences_pb2
from services.chassis.call import Call

from ..domain_inbox import Kind
from ..domain_preferences import EMAIL, INBOX, PUSH, EmailMode, Preferences, checked
from ..errors import PreferenceInvalidError
from ..store.preferences import PreferenceStore


class PreferenceMethods:
    """How a user wants to be reached."""

    def __init__(self, preferences: PreferenceStore) -> None:
        self._preferences = preferences

    async def get_preferences(
        self, request: pb.GetPreferencesRequest, call: Call
    ) -> pb.GetPreferencesResponse:
        """Answer the preferences."""
        user_id = call.own_user_id(request.user_id)
        found = await self._preferences.get(user_id)
        return pb.GetPreferencesResponse(preferences=_message(user_id, found))

    async def update_preferences(
        self, request: pb.UpdatePreferencesRequest, call: Call
    ) -> pb.UpdatePreferencesResponse:
        """Change what is given."""
        user_id = call.own_user_id(request.user_id)
        changed = await self._preferences.change(
            user_id, lambda before: checked(_changed(before, request))
        )
        return pb.UpdatePreferencesResponse(preferences=_message(user_id, changed))


def _changed(before: Preferences, request: pb.UpdatePreferencesRequest) -> Preferences:
    kinds = list(before.kinds)
    for each in request.kinds:
        if each.kind not in {kind.value for kind in Kind}:
            raise PreferenceInvalidError(field="kinds.kind", problem=f"is {each.kind}, no kind")
        bits = (each.inbox * INBOX) | (each.push * PUSH) | (each.email * EMAIL)
        kinds[each.kind - 1] = bits
    after = before._replace(kinds=tuple(kinds))
    if request.email_mode:
        if request.email_mode not in {mode.value for mode in EmailMode}:
            problem = f"is {request.email_mode}, no mode"
            raise PreferenceInvalidError(field="email_mode", problem=problem)
        after = after._replace(email_mode=EmailMode(request.email_mode))
    if request.HasField("quiet_hours"):
        hours = request.quiet_hours
        after = after._replace(
            quiet_start=hours.start_minute,
            quiet_end=hours.end_minute,
            time_zone=hours.time_zone or "UTC",
        )
    if request.HasField("only_following"):
        after = after._replace(only_following=request.only_following)
    return after


def _message(user_id: int, found: Preferences) -> preferences_pb2.Preferences:
    message = preferences_pb2.Preferences(
        user_id=user_id,
        email_mode=f"EMAIL_MODE_{found.email_mode.name}",
        only_following=found.only_following,
    )
    for kind in Kind:
        message.kinds.add(
            kind=f"NOTIFICATION_KIND_{kind.name}",
            inbox=found.wants(kind, INBOX),
            push=found.wants(kind, PUSH),
            email=found.wants(kind, EMAIL),
        )
    if found.quiet_start != found.quiet_end:
        message.quiet_hours.start_minute = found.quiet_start
        message.quiet_hours.end_minute = found.quiet_end
        message.quiet_hours.time_zone = found.time_zone
    return message
