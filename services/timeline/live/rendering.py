"""Records as the events that one user is shown: the rules and the content of a home page."""

from collections.abc import Sequence

from services.chassis import sse
from services.chassis.call import Call

from ..home import HomeTimelines
from ..hydrate import Hydrator
from ..parents import Stretch
from ..present import page
from ..relations import Relations
from ..rules import Replies, Shown, visible
from .history import History, Record
from .metrics import LiveMetrics


class Renderer:
    """Makes pages of one tweet."""

    def __init__(
        self, hydrator: Hydrator, home: HomeTimelines, history: History, metrics: LiveMetrics
    ) -> None:
        self._hydrator = hydrator
        self._home = home
        self._history = history
        self._tweets = metrics.events.labels("tweet")
        self._deletes = metrics.events.labels("delete")

    async def render(self, records: Sequence[Record], viewer: Relations, call: Call) -> bytes:
        """The events of those of these records that the viewer is shown; empty if there are none.

        `call` is one that takes JSON.
        """
        shown = await self._shown(records, viewer)
        pages = {
            tweet[0]: found
            for tweet in shown
            if (found := await self._page(tweet, viewer, call)) is not None
        }
        # Without a pause from here until it is sent: no delete is seen between the two.
        blocks = []
        for record in records:
            if record.deleted:
                if record.user_id in viewer.shown:
                    blocks.append(
                        sse.event(
                            b"delete", b'{"tweet_id":"%d"}' % record.tweet_id, record.position
                        )
                    )
                    self._deletes.inc()
            elif record.tweet_id in pages and record.tweet_id not in self._history.deleted:
                blocks.append(sse.event(b"tweet", pages[record.tweet_id], record.position))
                self._tweets.inc()
        return b"".join(blocks)

    async def _shown(self, records: Sequence[Record], viewer: Relations) -> list[Shown]:
        made = [(record.tweet_id, record.user_id, 0) for record in records if not record.deleted]
        if not made:
            return []
        contents = await self._hydrator.tweets([tweet_id for tweet_id, _, _ in made])
        return visible(made, contents, viewer, Replies.FOLLOWING)

    async def _page(self, tweet: Shown, viewer: Relations, call: Call) -> bytes | None:
        found = await self._home.present(Stretch([tweet], 0), viewer)
        if not found.tweets:
            return None
        return page(found.tweets, found.users, found.engaged, "", call)
