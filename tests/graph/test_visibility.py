"""The visibility engine: every relation on every surface, by both methods that tell of it."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
import pytest

from aviary.graph.v1 import graph_service_pb2 as pb
from aviary.graph.v1 import visibility_pb2
from aviary.graph.v1.visibility_pb2 import SURFACE_HOME_TIMELINE
from services.graph.visibility import Rule, Surface

from .questions import rules, verdicts
from .test_mutes import moment
from .world import World, call, refused, unpack

# What an author of this relation looks like to the viewer on each surface:
# "." visible, "x" blocked by the author, "b" author blocked, "m" muted, "p" protected, "g" gone.
TABLE = {
    #                          tweet home user conv. search notif. message
    "stranger":                 ". . . . . . .",
    "followee":                 ". . . . . . .",
    "followee, no retweets":    ". . . . . . .",
    "protected":                "p p p p p p p",
    "protected, asked":         "p p p p p p p",
    "protected, followed":      ". . . . . . .",
    "gone":                     "g g g g g g g",
    "blocked":                  "b b b b b b b",
    "blocks the viewer":        "x x x x x x x",
    "muted":                    ". m . m m m .",
    "muted at home":            ". m . . . . .",
    "muted in conversations":   ". . . m . . .",
    "muted in search":          ". . . . m . .",
    "muted in notifications":   ". . . . . m .",
    "muted until yesterday":    ". . . . . . .",
}  # fmt: skip
LETTERS = {
    "g": Rule.AUTHOR_GONE, "x": Rule.BLOCKED_BY_AUTHOR, "b": Rule.AUTHOR_BLOCKED,
    "m": Rule.AUTHOR_MUTED, "p": Rule.AUTHOR_PROTECTED, ".": Rule.NONE,
}  # fmt: skip
"""In the order in which they win where several hold."""
FOLLOWS = tuple(TABLE)[:6]
BLOCKS = ((), ("blocked",), ("blocks the viewer",), ("blocked", "blocks the viewer"))
MUTES: Mapping[str, Sequence[int]] = {
    "": (),
    "muted": (),
    "muted at home": (2,),
    "muted in conversations": (4,),
    "muted in search": (5,),
    "muted in notifications": (6,),
    "muted until yesterday": (),
}


class Somebody(NamedTuple):
    """A user and what the viewer and that user are to each other."""

    user_id: int
    follow: str
    blocks: tuple[str, ...]
    mute: str

    @property
    def followed(self) -> bool:
        return "follow" in self.follow and not self.blocks

    def expected(self, surface: Surface) -> Rule:
        """The strongest of the table's rows; a block has ended the follow."""
        follow = self.follow
        if self.blocks:
            follow = "protected" if follow.startswith("protected") else "stranger"
        rows = [TABLE[row] for row in (follow, *self.blocks, self.mute) if row]
        found = {row.split()[surface - 1] for row in rows}
        return next(rule for letter, rule in LETTERS.items() if letter in found)


async def populate(world: World, viewer: int) -> list[Somebody]:
    kinds = list(itertools.product(FOLLOWS, BLOCKS, MUTES))
    ids = await world.users(*(f"u{number}" for number in range(len(kinds))))
    people = [Somebody(i, *kind) for i, kind in zip(ids, kinds, strict=True)]
    for user_id, follow, blocks, mute in people:
        if follow == "protected, asked":
            await world.protect(user_id)
        if follow not in ("stranger", "protected"):
            await world.follow(viewer, user_id)
        if follow == "followee, no retweets":
            await world.update_follow(viewer, user_id, show_retweets=False)
        if follow in ("protected", "protected, followed"):
            await world.protect(user_id)
        if mute:
            until = moment(3600) if mute == "muted until yesterday" else None
            await world.mute(viewer, user_id, surfaces=MUTES[mute], expire_time=until)
        if "blocked" in blocks:
            await world.block(viewer, user_id)
        if "blocks the viewer" in blocks:
            await world.block(user_id, viewer)
    await world.sql("UPDATE mutes SET expire_time = now() - interval '1 day'"
                    " WHERE expire_time IS NOT NULL")  # fmt: skip
    return people


async def test_every_relation_on_every_surface(world: World) -> None:
    viewer, friend = await world.users("viewer", "friend")
    await world.follow(viewer, friend)
    people = await populate(world, viewer)
    assert len(people) == 6 * 4 * 7
    for surface in Surface:
        at_home = surface is Surface.HOME_TIMELINE
        tweets = await verdicts(world, viewer, surface, *((p.user_id, 0, 0) for p in people))
        retweeted = await verdicts(
            world, viewer, surface, *((p.user_id, friend, 0) for p in people)
        )
        retweets = await verdicts(world, viewer, surface, *((friend, p.user_id, 0) for p in people))
        replies = await verdicts(world, viewer, surface, *((friend, 0, p.user_id) for p in people))
        (told,) = await rules(world, viewer, surface=surface)
        following, hidden, silent = (
            unpack(told.following_ids),
            unpack(told.hidden_ids),
            unpack(told.hidden_retweeter_ids),
        )
        assert following == sorted([friend, *(p.user_id for p in people if p.followed)])
        assert hidden == sorted(hidden)
        assert silent == sorted(silent)
        rows = zip(people, tweets, retweeted, retweets, replies, strict=True)
        for person, tweet, original, retweet, reply in rows:
            expected = person.expected(surface)
            assert tweet is original is expected, (person, surface)
            without = at_home and person.followed and "no retweets" in person.follow
            no_retweets = Rule.RETWEETS_HIDDEN if without else Rule.NONE
            assert retweet is (expected or no_retweets), (person, surface)
            stranger = at_home and not person.followed
            assert reply is (Rule.REPLY_TO_STRANGER if stranger else Rule.NONE), (person, surface)
            # The same once more, as the rules tell it.
            told_hidden = expected in (
                Rule.BLOCKED_BY_AUTHOR, Rule.AUTHOR_BLOCKED, Rule.AUTHOR_MUTED
            )  # fmt: skip
            assert (person.user_id in hidden) is told_hidden, (person, surface)
            assert (person.user_id in silent) is (retweet is Rule.RETWEETS_HIDDEN)
            if person.followed:
                assert (tweet is Rule.NONE) is (person.user_id not in hidden)


async def test_who_is_gone_and_who_is_nobody(world: World) -> None:
    viewer, open_one, closed = await world.users("viewer", "open", "closed")
    await world.protect(closed)
    for surface in Surface:
        letters = TABLE["gone"].split()
        assert (
            await verdicts(world, viewer, surface, (77, 0, 0), (open_one, 77, 0))
            == [LETTERS[letters[surface - 1]]] * 2
        )
        expected = [Rule.NONE, Rule.AUTHOR_PROTECTED, Rule.AUTHOR_GONE]
        subjects = [(open_one, 0, 0), (closed, 0, 0), (0, 0, 0)]
        assert await verdicts(world, 0, surface, *subjects) == expected


async def test_one_sees_ones_own(world: World) -> None:
    viewer, friend, foe = await world.users("viewer", "friend", "foe")
    await world.protect(viewer)
    await world.follow(viewer, friend)
    await world.block(foe, viewer)
    for surface in Surface:
        own = [(viewer, 0, 0), (viewer, 0, foe), (viewer, friend, 0), (friend, viewer, 0)]
        assert await verdicts(world, viewer, surface, *own) == [Rule.NONE] * 4
        mixed = [(foe, viewer, 0), (viewer, foe, 0)]
        assert await verdicts(world, viewer, surface, *mixed) == [Rule.BLOCKED_BY_AUTHOR] * 2


async def test_many_viewers_in_one_call(world: World) -> None:
    ann, bob, foe = await world.users("ann", "bob", "foe")
    await world.block(foe, bob)
    subjects = [
        visibility_pb2.VisibilitySubject(author_user_id=foe, viewer_user_id=viewer)
        for viewer in (ann, bob, 0)
    ]
    request = pb.CheckVisibilityRequest(
        viewer_user_id=bob, surface="SURFACE_TWEET", subjects=subjects
    )
    found = await world.graph.check_visibility(request, call())
    blocked = Rule.BLOCKED_BY_AUTHOR
    assert [Rule(each.rule) for each in found.verdicts] == [Rule.NONE, blocked, blocked]


async def test_replies_at_home(world: World) -> None:
    viewer, friend, stranger = await world.users("viewer", "friend", "stranger")
    await world.follow(viewer, friend)
    subjects = [
        (friend, 0, stranger), (friend, 0, friend), (friend, 0, viewer), (friend, 0, 77),
        (stranger, friend, 77),
    ]  # fmt: skip
    assert await verdicts(world, viewer, SURFACE_HOME_TIMELINE, *subjects) == [
        Rule.REPLY_TO_STRANGER, Rule.NONE, Rule.NONE, Rule.REPLY_TO_STRANGER, Rule.NONE,
    ]  # fmt: skip


async def test_bad_questions_are_refused(world: World) -> None:
    with refused("INVALID_ARGUMENT", field="surface"):
        await verdicts(world, 1, 0, (1, 0, 0))
    with refused("INVALID_ARGUMENT", field="subjects"):
        await verdicts(world, 1, 1, *([(1, 0, 0)] * 1001))
    with refused("INVALID_ARGUMENT", field="surface"):
        await rules(world, 1, surface=0)
    for viewers in ([], [1] * 257):
        with refused("INVALID_ARGUMENT", field="user_ids"):
            await rules(world, *viewers)
    assert await verdicts(world, 1, 1) == []


async def test_each_question_is_one_statement(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = await world.users(*(f"u{number}" for number in range(100)))
    execute, statements = psycopg.AsyncConnection.execute, 0

    async def counted(connection: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal statements
        # The log of the users made above is read, and its listeners are woken, at any moment.
        statements += not re.search("NOTIFY|events", str(query))
        return await execute(connection, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", counted)
    subjects = [(chosen, users[0], users[1]) for chosen in users * 10]
    assert len(await verdicts(world, users[0], 2, *subjects)) == 1000
    assert statements == 1
    await rules(world, *users, mutual=True)
    assert statements == 2


def test_numbers_are_those_of_the_contract() -> None:
    assert {f"SURFACE_{one.name}": one.value for one in Surface} == {
        name: number for name, number in visibility_pb2.Surface.items() if number
    }
    names = {f"VISIBILITY_RULE_{one.name}": one.value for one in Rule if one}
    assert names == {
        name: number for name, number in visibility_pb2.VisibilityRule.items() if number
    }
