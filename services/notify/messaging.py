"""Direct messages: who may write to whom, and what may be shared."""

import asyncio
from collections.abc import Sequence

from aviary.graph.v1.visibility_pb2 import Surface, VisibilityRule, VisibilitySubject
from clients.graph import GraphClient
from clients.tweet import TweetClient, author_id_of
from services.chassis.errors import InvalidFieldError
from services.chassis.packed_ids import holds
from services.chassis.visibility import VISIBLE, Subject, Visibility

from .domain_inbox import Kind
from .domain_messages import Member, Message, State, checked_members, checked_text, checked_title
from .domain_preferences import INBOX
from .errors import (
    BlockedError,
    ConversationNotFoundError,
    TweetNotFoundError,
    TweetNotShareableError,
    UserNotFoundError,
)
from .store.conversations import ConversationStore
from .store.messages import MessageStore
from .store.preferences import PreferenceStore

BLOCKED = (
    VisibilityRule.VISIBILITY_RULE_BLOCKED_BY_AUTHOR,
    VisibilityRule.VISIBILITY_RULE_AUTHOR_BLOCKED,
)
PAIR = 2
MAX_SHARED = 20
"""Users with whom a tweet is shared at once."""


class Messaging:
    """Conversations as their members use them. A block holds: without Graph nothing is sent."""

    def __init__(
        self,
        conversations: ConversationStore,
        messages: MessageStore,
        preferences: PreferenceStore,
        graph: GraphClient,
        tweets: TweetClient,
        visibility: Visibility,
    ) -> None:
        self._conversations = conversations
        self._messages = messages
        self._preferences = preferences
        self._graph = graph
        self._tweets = tweets
        self._visibility = visibility

    async def create(
        self, caller: int, user_ids: Sequence[int], title: str, request_id: str
    ) -> int:
        """Open a conversation; its id."""
        ids = checked_members(caller, user_ids)
        title = checked_title(title)
        await self._check_known(ids)
        await self._refuse_blocked(caller, ids[1:])
        states = await self._states(caller, ids[1:])
        members = [Member(caller, State.MEMBER)]
        members += [Member(*pair) for pair in zip(ids[1:], states, strict=True)]
        group = len(ids) > PAIR or bool(title)
        return await self._conversations.create(caller, members, title, group, request_id)

    async def send(
        self, caller: int, conversation_id: int, text: str, tweet_id: int, request_id: str
    ) -> Message:
        """Send a message."""
        text = checked_text(text, tweet_id)
        members = await self._conversations.members(caller, conversation_id)
        if not members:
            raise ConversationNotFoundError(conversation_id=conversation_id)
        others = [member for member in members if member.user_id != caller]
        if len(members) <= PAIR:
            await self._refuse_blocked(caller, [member.user_id for member in others])
        if tweet_id:
            await self._check_shared(caller, tweet_id, others)
        told = await self._told(caller, others)
        message = Message(conversation_id, 0, caller, text, tweet_id)
        sent = await self._messages.send(message, request_id, told)
        if sent is None:
            raise ConversationNotFoundError(conversation_id=conversation_id)
        return sent

    async def share(
        self, caller: int, tweet_id: int, user_ids: Sequence[int], text: str, request_id: str
    ) -> list[Message]:
        """Send a tweet to each of some users, once all of them may get it."""
        ids = list(dict.fromkeys(user_ids))
        if not 1 <= len(ids) <= MAX_SHARED:
            problem = f"holds {len(ids)} users; 1 to {MAX_SHARED} are allowed"
            raise InvalidFieldError(field="user_ids", problem=problem)
        checked_text(text, tweet_id)
        pairs = [checked_members(caller, [user_id]) for user_id in ids]
        await self._check_known(ids)
        await self._refuse_blocked(caller, ids)
        await self._check_shared(caller, tweet_id, [Member(i, State.MEMBER) for i in ids])
        sent = []
        for _, user_id in pairs:
            where = await self.create(caller, [user_id], "", "")
            key = f"{request_id}:{user_id}" if request_id else ""
            sent.append(await self.send(caller, where, text, tweet_id, key))
        return sent

    async def visible_tweets(self, caller: int, messages: Sequence[Message]) -> list[bytes]:
        """The shared tweets that the caller may see, serialized, each once."""
        ids = list(dict.fromkeys(m.tweet_id for m in messages if m.tweet_id))
        raw = await self._tweets.batch_get_raw(ids) if ids else {}
        subjects = {i: Subject(author_id_of(tweet)) for i, tweet in raw.items()}
        rules = await self._visibility.rules(
            caller, Surface.SURFACE_TWEET, dict.fromkeys(subjects.values())
        )
        return [tweet for i, tweet in raw.items() if rules[subjects[i]] == VISIBLE]

    async def _check_known(self, user_ids: Sequence[int]) -> None:
        known = {user.user_id for user in await self._graph.get_users(user_ids)}
        for user_id in user_ids:
            if user_id not in known:
                raise UserNotFoundError(user_id=user_id)

    async def _states(self, caller: int, others: Sequence[int]) -> list[State]:
        """Whoever does not follow the caller is asked first."""
        rules = await self._graph.viewer_rules(others, surface=Surface.SURFACE_MESSAGE)
        follow = (holds(rules[user_id].following_ids, caller) for user_id in others)
        return [State.MEMBER if each else State.ASKED for each in follow]

    async def _refuse_blocked(self, caller: int, others: Sequence[int]) -> None:
        """Asked of Graph itself: a block holds at once, and no verdict that was kept counts."""
        subjects = [VisibilitySubject(author_user_id=user) for user in others]
        verdicts = await self._graph.check_visibility(caller, Surface.SURFACE_MESSAGE, subjects)
        for user_id, verdict in zip(others, verdicts, strict=True):
            if verdict.rule in BLOCKED:
                raise BlockedError(user_id=caller, target_user_id=user_id)

    async def _check_shared(self, caller: int, tweet_id: int, others: Sequence[Member]) -> None:
        tweet = (await self._tweets.batch_get_raw([tweet_id])).get(tweet_id)
        if tweet is None:
            raise TweetNotFoundError(tweet_id=tweet_id)
        author = Subject(author_id_of(tweet))
        rules = await self._visibility.rules(caller, Surface.SURFACE_TWEET, [author])
        if rules[author] != VISIBLE:
            raise TweetNotFoundError(tweet_id=tweet_id)
        for member in others:
            rules = await self._visibility.rules(member.user_id, Surface.SURFACE_TWEET, [author])
            if rules[author] == VisibilityRule.VISIBILITY_RULE_AUTHOR_PROTECTED:
                raise TweetNotShareableError(tweet_id=tweet_id)

    async def _told(self, caller: int, others: Sequence[Member]) -> list[int]:
        """Whose inboxes are told: no requests, nobody who muted or blocked, nor turned it off."""
        users = [member.user_id for member in others if member.state is State.MEMBER]
        if not users:
            return []
        rules, preferences = await asyncio.gather(
            self._graph.viewer_rules(users, surface=Surface.SURFACE_NOTIFICATION),
            self._preferences.get_many(users),
        )
        return [
            user_id
            for user_id in users
            if not holds(rules[user_id].hidden_ids, caller)
            and preferences[user_id].wants(Kind.MESSAGE, INBOX)
        ]
