"""What commands come to, carried out one after the other on how things stand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.chassis.errors import ServiceError

from .domain_follows import Action, Change, Command, Follow, Happening, Pair, Standing
from .errors import (
    BlockedError,
    FollowNotFoundError,
    FollowRequestNotFoundError,
    UserNotFoundError,
)


@dataclass(slots=True)
class Settlement:
    """What a sequence of commands comes to."""

    results: list[Follow | ServiceError | None] = field(default_factory=list)
    """For each command the follow as it is then (None: there is none), or why it was refused."""
    changes: list[Change] = field(default_factory=list)
    """What happened, in order."""
    final: dict[Pair, Follow | None] = field(default_factory=dict)
    """The follows and requests that changed, as they are in the end."""
    blocks: dict[Pair, int] = field(default_factory=dict)
    """The blocks that changed: their ids, 0 where one was lifted."""
    deltas: dict[int, list[int]] = field(default_factory=dict)
    """By user: by how much following_count and followers_count change."""


def settle(
    commands: Sequence[Command], standing: Standing, next_id: Callable[[], int]
) -> Settlement:
    """Carry out commands one after the other; a refused one changes nothing."""
    settling = _Settling(standing, next_id)
    return settling.carry_out_all(commands)


class _Settling:
    def __init__(self, standing: Standing, next_id: Callable[[], int]) -> None:
        self._protected = standing.protected
        self._follows: dict[Pair, Follow | None] = dict(standing.follows)
        self._blocks = set(standing.blocks)
        self._next_id = next_id
        self._settlement = Settlement()
        self._traceparent = ""

    def carry_out_all(self, commands: Sequence[Command]) -> Settlement:
        for command in commands:
            result: Follow | ServiceError | None
            self._traceparent = command.traceparent
            try:
                result = self._carry_out(command)
            except ServiceError as error:
                result = error  # it is this command's, not its neighbours'
            self._settlement.results.append(result)
        return self._settlement

    def _carry_out(self, command: Command) -> Follow | None:
        before = self._follows.get(command.pair)
        match command.action:
            case Action.FOLLOW:
                return self._follow(command, before)
            case Action.UPDATE:
                return self._update(command, before)
            case Action.UNFOLLOW:
                self._end(before)
            case Action.ACCEPT:
                return self._accept(command, before)
            case Action.REJECT:
                self._end(before if before and before.requested else None)
            case Action.BLOCK:
                self._block(command)
            case Action.UNBLOCK:
                self._unblock(command)
        return None

    def _follow(self, command: Command, before: Follow | None) -> Follow:
        if before is not None:
            return self._update(command, before)
        user_id, target_user_id = command.pair
        self._check_known(command)
        if not self._blocks.isdisjoint((command.pair, (target_user_id, user_id))):
            raise BlockedError(user_id=user_id, target_user_id=target_user_id)
        requested = self._protected[target_user_id]
        follow = _with_flags(
            Follow(user_id, target_user_id, self._next_id(), requested=requested), command
        )
        self._keep(follow, Happening.REQUESTED if requested else Happening.FOLLOWED)
        return follow

    def _update(self, command: Command, before: Follow | None) -> Follow:
        if before is None:
            raise FollowNotFoundError(
                user_id=command.user_id, target_user_id=command.target_user_id
            )
        after = _with_flags(before, command)
        if after != before:
            # What a request will show once it is accepted concerns nobody yet.
            self._keep(after, None if after.requested else Happening.UPDATED)
        return after

    def _accept(self, command: Command, before: Follow | None) -> Follow:
        if before is None:
            raise FollowRequestNotFoundError(
                user_id=command.target_user_id, requester_user_id=command.user_id
            )
        if not before.requested:
            return before
        follow = before._replace(follow_id=self._next_id(), requested=False)
        self._keep(follow, Happening.FOLLOWED)
        return follow

    def _block(self, command: Command) -> None:
        self._check_known(command)
        if command.pair in self._blocks:
            return
        for pair in command.pairs:
            self._end(self._follows.get(pair))
        self._blocks.add(command.pair)
        block_id = self._happened(Happening.BLOCKED, command.pair)
        self._settlement.blocks[command.pair] = block_id

    def _unblock(self, command: Command) -> None:
        if command.pair in self._blocks:
            self._blocks.remove(command.pair)
            self._settlement.blocks[command.pair] = 0
            self._happened(Happening.UNBLOCKED, command.pair)

    def _keep(self, follow: Follow, happening: Happening | None) -> None:
        self._follows[follow.pair] = self._settlement.final[follow.pair] = follow
        if happening is Happening.UPDATED:
            self._happened(happening, follow.pair, follow)
        elif happening:
            # A follow's own id serves its first event, too.
            self._happened(happening, follow.pair, follow, follow.follow_id)
        if happening is Happening.FOLLOWED:
            self._count(follow.pair, 1)

    def _end(self, follow: Follow | None) -> None:
        if follow is None:
            return
        self._follows[follow.pair] = self._settlement.final[follow.pair] = None
        if not follow.requested:
            self._happened(Happening.UNFOLLOWED, follow.pair, follow)
            self._count(follow.pair, -1)

    def _happened(
        self, happening: Happening, pair: Pair, follow: Follow | None = None, event_id: int = 0
    ) -> int:
        event_id = event_id or self._next_id()
        flags = (follow.show_retweets, follow.notify) if follow else (True, False)
        change = Change(happening, *pair, event_id, *flags, self._traceparent)
        self._settlement.changes.append(change)
        return event_id

    def _count(self, pair: Pair, step: int) -> None:
        deltas = self._settlement.deltas
        deltas.setdefault(pair[0], [0, 0])[0] += step
        deltas.setdefault(pair[1], [0, 0])[1] += step

    def _check_known(self, command: Command) -> None:
        for one in command.pair:
            if one not in self._protected:
                raise UserNotFoundError(user_id=one)


def _with_flags(follow: Follow, command: Command) -> Follow:
    if command.show_retweets is not None:
        follow = follow._replace(show_retweets=command.show_retweets)
    if command.notify is not None:
        follow = follow._replace(notify=command.notify)
    return follow
