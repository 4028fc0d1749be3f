"""After the heal: every answered write must be there, once, and the timelines must be whole."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from services.local.drills.cast import Cast
from services.local.drills.edges import Edges
from services.local.drills.ledger import Ledger

PAGE = 100


@dataclass(slots=True)
class Findings:
    """What is wrong; empty lists are right."""

    lost: list[str] = field(default_factory=list)
    """Answered writes that are not there."""
    doubled: list[str] = field(default_factory=list)
    """Posts that were made twice under one key."""
    broken: list[str] = field(default_factory=list)
    """Home timelines that are not exactly the posts of all authors, newest first."""
    found: int = 0
    """Tweets that are there."""

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.broken)


class Audit:
    """Compares the ledger with what the edges answer."""

    def __init__(self, edges: Edges, cast: Cast, ledger: Ledger) -> None:
        self._edges = edges
        self.cast = cast
        self.ledger = ledger

    async def settled(self, seconds: float) -> Findings:
        """The findings, looked for again until nothing is wrong or the time is over.

        A look that was begun is finished: what was not looked at would otherwise pass for right.
        """
        await self._repeat_unknown()
        until = time.monotonic() + seconds
        while True:
            findings = await self.once()
            if findings.fine or time.monotonic() > until:
                return findings
            await asyncio.sleep(1.0)

    async def once(self) -> Findings:
        """The findings of one look."""
        findings = Findings()
        by_author = {user: await self._posts(user) for user in self.cast.authors}
        every = [tweet for posts in by_author.values() for tweet in posts]
        findings.found = len(every)
        times = Counter(status for _, status in every)
        findings.doubled = [status for status, count in times.items() if count > 1]
        followed = {user: await self._followed(user) for user in self.cast.authors}
        ids = {user: {tweet for tweet, _ in posts} for user, posts in by_author.items()}
        for entry in self.ledger.answered:
            there = ids if entry.kind == "post" else followed
            if entry.what not in there[entry.user_id]:
                findings.lost.append(f"{entry.kind} {entry.what} of {entry.user_id} {entry.key}")
        expected = sorted((tweet for tweet, _ in every), reverse=True)
        for user in self.cast.authors:
            path = f"/api/v1/home_timeline?user_id={user}"
            home = [tweet for tweet, _ in await self._walk(path, user)]
            if home != expected:
                missing, more = set(expected) - set(home), len(home) - len(set(home))
                findings.broken.append(f"home of {user}: {len(missing)} missing, {more} repeated")
        return findings

    async def _repeat_unknown(self) -> None:
        """Ask again, under their keys, for the posts that failed: each must exist once now."""
        for user, text in self.ledger.unknown:
            key = text.replace(" ", "-")
            answer = await self._edges.rest(
                "POST", "/api/v1/tweet", self.cast.tokens[user], {"status": text}, key
            )
            if answer.status == 200:
                self.ledger.note("post", user, int(answer.body["tweet_id"]), text)
        self.ledger.unknown.clear()

    async def _posts(self, user: int) -> list[tuple[int, str]]:
        return await self._walk(f"/api/v1/user_timeline?user_id={user}", user)

    async def _walk(self, path: str, user: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        page = ""
        while True:
            url = f"{path}&page_size={PAGE}&page_token={page}"
            answer = await self._edges.rest("GET", url, self.cast.tokens[user])
            if answer.status != 200:
                return found
            found += [(int(t["tweet_id"]), t["status"]) for t in answer.body["tweets"]]
            page = answer.body["next_page_token"]
            if not page:
                return found

    async def _followed(self, user: int) -> set[int]:
        path = f"/api/v1/users/{user}/following?page_size={PAGE}"
        answer = await self._edges.rest("GET", path, self.cast.tokens[user])
        return {int(row["user_id"]) for row in answer.body.get("users", ())}
