"""The live inbox: entries as they change, and the badge whenever it may have."""

from collections.abc import Sequence
from functools import partial

from services.chassis.events.log import Position
from services.chassis.json_rendering import render
from services.chassis.stores import Pool

from .live import Source, Told
from .showing import Showing
from .store.changes import InboxChanges, settled_position
from .store.inbox import CHANNEL, InboxStore


def inbox_source(pool: Pool, inbox: InboxStore, showing: Showing) -> Source:
    """The changes of inboxes, for a hub."""
    changes = InboxChanges(pool)

    async def read(user_id: int, after: Position, limit: int) -> Sequence[Told]:
        rows = await changes.read(user_id, after, limit)
        marked = None if len(rows) == limit else await changes.marked(user_id, after)
        if not rows and marked is None:
            return ()
        badge = await inbox.badge(user_id)
        shown = await showing.notifications([row for _, row in rows], badge.read_up_to)
        told = [
            Told(b"notification", render(notification), position)
            for (position, _), notification in zip(rows, shown, strict=True)
        ]
        reached = max([position for position, _ in rows] + ([marked] if marked else []))
        told.append(Told(b"unread", b'{"unread_count":"%d"}' % badge.unread, reached))
        return told

    return Source(CHANNEL, partial(settled_position, pool), changes.changed, read)
