"""The one place where it is judged what a viewer may see, and where. No I/O, no clock.

    rule                acts on                          holds when
    AUTHOR_GONE         everywhere                       the author does not exist any more
    BLOCKED_BY_AUTHOR   everywhere                       the author blocked the viewer
    AUTHOR_BLOCKED      everywhere                       the viewer blocked the author
    AUTHOR_MUTED        home, conversation, search,      the viewer muted the author on this
                        notification                     surface
    AUTHOR_PROTECTED    everywhere                       the author is protected and the viewer
                                                         does not follow
    RETWEETS_HIDDEN     home                             the viewer hides the retweeter's retweets
    REPLY_TO_STRANGER   home                             it answers somebody whom the viewer does
                                                         not follow, and who is neither the viewer
                                                         nor the author

The first rule that holds, in this order, is the answer. The first five judge the author and, of a
retweet, the retweeter too; never the viewer, who always sees what is the viewer's own.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple


class Surface(IntEnum):
    """Where something would be shown; the numbers of `aviary.graph.v1.Surface`."""

    TWEET = 1
    HOME_TIMELINE = 2
    USER_TIMELINE = 3
    CONVERSATION = 4
    SEARCH = 5
    NOTIFICATION = 6
    MESSAGE = 7


class Rule(IntEnum):
    """What hides something; the numbers of `aviary.graph.v1.VisibilityRule`."""

    NONE = 0
    BLOCKED_BY_AUTHOR = 1
    AUTHOR_BLOCKED = 2
    AUTHOR_MUTED = 3
    AUTHOR_PROTECTED = 4
    RETWEETS_HIDDEN = 5
    REPLY_TO_STRANGER = 6
    AUTHOR_GONE = 7


EVERYWHERE = frozenset(Surface)
MUTABLE = frozenset(
    {Surface.HOME_TIMELINE, Surface.CONVERSATION, Surface.SEARCH, Surface.NOTIFICATION}
)
"""Where mutes act: what one asks for by name is never muted."""
HOME = frozenset({Surface.HOME_TIMELINE})


class Relation(NamedTuple):
    """What another user is to the viewer; as it stands, of a user without any relation."""

    exists: bool = True
    protected: bool = False
    follows: bool = False
    """Whether the viewer follows the user; a request is no follow."""
    shows_retweets: bool = True
    blocks: bool = False
    """Whether the viewer blocked the user."""
    blocked_by: bool = False
    """Whether the user blocked the viewer."""
    muted_on: frozenset[Surface] = frozenset()
    """Where a mute that is in force hides the user."""
    mute_expire_time: datetime | None = None


class Subject(NamedTuple):
    """What would be shown: 0 for no retweeter, 0 for no reply."""

    author_id: int
    retweeter_id: int = 0
    in_reply_to_id: int = 0


class Rules(NamedTuple):
    """What distinguishes some users from any followee, for one viewer on one surface."""

    hidden: list[int]
    hidden_retweeters: list[int]
    expire_time: datetime | None
    """When the first of these verdicts may end by itself."""


GONE = Relation(exists=False)
STRANGER = Relation()
PERSON_RULES: tuple[tuple[Rule, frozenset[Surface], Callable[[Relation, Surface], bool]], ...] = (
    (Rule.AUTHOR_GONE, EVERYWHERE, lambda one, _: not one.exists),
    (Rule.BLOCKED_BY_AUTHOR, EVERYWHERE, lambda one, _: one.blocked_by),
    (Rule.AUTHOR_BLOCKED, EVERYWHERE, lambda one, _: one.blocks),
    (Rule.AUTHOR_MUTED, MUTABLE, lambda one, surface: surface in one.muted_on),
    (Rule.AUTHOR_PROTECTED, EVERYWHERE, lambda one, _: one.protected and not one.follows),
)
"""Rules that judge one person: the author, or who retweeted."""


def verdict(
    surface: Surface, viewer_id: int, subject: Subject, relations: Mapping[int, Relation]
) -> Rule:
    """The first rule that hides a subject from a viewer (0: nobody known), or NONE.

    `relations` are the viewer's to the people of the subject; whoever is missing does not exist.
    """
    author_id, retweeter_id, in_reply_to_id = subject
    persons = [
        relations.get(person, GONE)
        for person in ((author_id, retweeter_id) if retweeter_id else (author_id,))
        if person != viewer_id or not viewer_id
    ]
    for rule, surfaces, holds in PERSON_RULES:
        if surface in surfaces and any(holds(person, surface) for person in persons):
            return rule
    if surface not in HOME:
        return Rule.NONE
    if retweeter_id:
        shows = relations.get(retweeter_id, GONE).shows_retweets
        return Rule.NONE if shows else Rule.RETWEETS_HIDDEN
    if in_reply_to_id and author_id != viewer_id and in_reply_to_id not in (author_id, viewer_id):
        known = relations.get(in_reply_to_id, GONE).follows
        return Rule.NONE if known else Rule.REPLY_TO_STRANGER
    return Rule.NONE


def rules_of(
    surface: Surface, viewer_id: int, exceptional: Iterable[tuple[int, Relation]]
) -> Rules:
    """The verdicts on a viewer's exceptional relations (blocks, mutes, hidden retweets).

    Each is judged as if the user were followed: whom one does not follow one finds out oneself.
    """
    rules: tuple[list[int], list[int]] = ([], [])
    expire_time: datetime | None = None
    for user_id, relation in exceptional:
        as_followee = {user_id: relation._replace(follows=True), viewer_id: STRANGER}
        if verdict(surface, viewer_id, Subject(user_id), as_followee):
            rules[0].append(user_id)
        elif verdict(surface, viewer_id, Subject(viewer_id, user_id), as_followee):
            rules[1].append(user_id)
        ends = relation.mute_expire_time
        if ends and surface in relation.muted_on:
            expire_time = min(expire_time or ends, ends)
    return Rules(*rules, expire_time)


def muted_on(surfaces: Iterable[int]) -> frozenset[Surface]:
    """Where a mute of this scope acts; an empty scope is everywhere that mutes can act."""
    return frozenset(Surface(surface) for surface in surfaces) or MUTABLE
