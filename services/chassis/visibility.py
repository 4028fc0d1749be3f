"""Who may see what: asked of the mesh's one visibility engine, for many callers at once.

A verdict is kept for a second. While the engine is away, one that is older still counts: what
everybody could see a minute ago must not vanish because one service does.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import structlog
from grpc import StatusCode

from aviary.graph.v1.visibility_pb2 import Surface, VisibilityRule, VisibilitySubject
from clients.errors import PeerError

from .batching import Batcher
from .errors import ServiceError, UnavailableError

FRESH_SECONDS = 1.0
KEPT_SECONDS = 300.0
"""How long a verdict counts while there is no newer one to be had."""
TIMEOUT = 1.0
"""Seconds that the engine may take."""
MAX_KEPT = 50_000
MAX_SUBJECTS = 1_000
"""Subjects of one question to the engine."""
MAX_QUESTIONS, MAX_WAITING = 64, 5_000
log = structlog.get_logger()


class UserNotFoundError(ServiceError):
    """There is no such user."""

    code = StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"
    template = "there is no user {user_id}"
    field = "user_id"


class UserNotVisibleError(ServiceError):
    """The user's tweets are closed to the caller, by the rule of that name."""

    code = StatusCode.PERMISSION_DENIED
    reason = "USER_NOT_VISIBLE"
    template = "the tweets of user {user_id} are closed to you ({rule})"
    field = "user_id"


class Subject(NamedTuple):
    """What would be shown: a tweet by its author, or the original's where somebody retweeted it."""

    author_user_id: int
    retweeter_user_id: int = 0


class Verdict(Protocol):
    """The engine's answer for one subject."""

    @property
    def rule(self) -> VisibilityRule:
        """The rule that hides it; VISIBILITY_RULE_UNSPECIFIED where none does."""


class Question(NamedTuple):
    """Whether a viewer may see some subjects on a surface."""

    viewer: int
    surface: Surface
    subjects: tuple[Subject, ...]


Check = Callable[[int, Surface, Sequence[VisibilitySubject]], Awaitable[Sequence[Verdict]]]
"""Asks the engine: viewer of subjects that name none (0: nobody known), surface, subjects."""
Look = tuple[int, Subject]
"""Who looks at what."""
NOBODY = 0
Verdicts = dict[Subject, VisibilityRule]
VISIBLE = VisibilityRule.VISIBILITY_RULE_UNSPECIFIED


class Visibility:
    """Verdicts of the engine that `check` asks."""

    def __init__(
        self,
        check: Check,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._check = check
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._kept: dict[tuple[int, Surface, Subject], tuple[float, VisibilityRule]] = {}
        self._batcher: Batcher[Question, Verdicts] = Batcher(
            "visibility", self._answer, max_batch=MAX_QUESTIONS, max_waiting=MAX_WAITING
        )

    async def rules(self, viewer: int, surface: Surface, subjects: Iterable[Subject]) -> Verdicts:
        """The rule that hides each subject from a viewer (0: nobody known), VISIBLE for none.

        Everybody sees what is their own. Raises UNAVAILABLE where the engine is away and nothing
        is known of one of the subjects.
        """
        now = self._clock()
        found: Verdicts = {}
        missing: list[Subject] = []
        for subject in subjects:
            if subject.author_user_id == viewer and subject.retweeter_user_id in (0, viewer):
                found[subject] = VISIBLE
                continue
            asked, rule = self._kept.get((viewer, surface, subject), (-KEPT_SECONDS, VISIBLE))
            if now - asked < self._fresh_seconds:
                found[subject] = rule
            else:
                missing.append(subject)
        if missing:
            found |= await self._batcher.submit(Question(viewer, surface, tuple(missing)))
        return found

    async def check_profile(self, viewer: int, user_id: int) -> None:
        """Refuse a viewer who may not see what a user did: USER_NOT_FOUND, USER_NOT_VISIBLE."""
        subject = Subject(user_id)
        rule = (await self.rules(viewer, Surface.SURFACE_USER_TIMELINE, [subject]))[subject]
        if rule == VisibilityRule.VISIBILITY_RULE_AUTHOR_GONE:
            raise UserNotFoundError(user_id=user_id)
        if rule != VISIBLE:
            name = VisibilityRule.Name(rule).removeprefix("VISIBILITY_RULE_")
            raise UserNotVisibleError(user_id=user_id, rule=name)

    async def _answer(self, questions: list[Question]) -> list[Verdicts | Exception]:
        """One call for each surface, whatever the number of viewers and questions."""
        wanted: dict[Surface, dict[Look, None]] = {}
        for viewer, surface, subjects in questions:
            looks = wanted.setdefault(surface, {})
            looks.update(dict.fromkeys((viewer, subject) for subject in subjects))
        answers = await asyncio.gather(
            *(self._ask(surface, list(looks)) for surface, looks in wanted.items())
        )
        by_surface = dict(zip(wanted, answers, strict=True))
        return [self._part(question, by_surface[question.surface]) for question in questions]

    async def _ask(self, surface: Surface, looks: list[Look]) -> dict[Look, VisibilityRule] | None:
        """The rules, None where the engine is away."""
        found: dict[Look, VisibilityRule] = {}
        try:
            async with asyncio.timeout(TIMEOUT):
                for start in range(0, len(looks), MAX_SUBJECTS):
                    part = looks[start : start + MAX_SUBJECTS]
                    messages = [
                        VisibilitySubject(**subject._asdict(), viewer_user_id=viewer)
                        for viewer, subject in part
                    ]
                    verdicts = await self._check(NOBODY, surface, messages)
                    for look, verdict in zip(part, verdicts, strict=True):
                        found[look] = verdict.rule
        except (PeerError, TimeoutError) as error:
            log.warning("visibility not checked", why=str(error) or "no answer in time")
            return None
        self._keep(surface, found)
        return found

    def _part(
        self, question: Question, found: dict[Look, VisibilityRule] | None
    ) -> Verdicts | Exception:
        viewer, surface, subjects = question
        if found is None:
            return self._known(viewer, surface, subjects) or UnavailableError(resource="graph")
        return {subject: found[viewer, subject] for subject in subjects}

    def _known(self, viewer: int, surface: Surface, subjects: Iterable[Subject]) -> Verdicts | None:
        """What was known of all the subjects before, if it was."""
        since = self._clock() - KEPT_SECONDS
        found: Verdicts = {}
        for subject in subjects:
            asked, rule = self._kept.get((viewer, surface, subject), (since, VISIBLE))
            if asked <= since:
                return None
            found[subject] = rule
        return found

    def _keep(self, surface: Surface, rules: dict[Look, VisibilityRule]) -> None:
        now = self._clock()
        for (viewer, subject), rule in rules.items():
            if len(self._kept) >= MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[viewer, surface, subject] = (now, rule)
