"""What is measured, and the rounds in which figures that are compared take turns."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.progress import Progress

from .stats import paired_ratio, quantile, spread

Measure = Callable[[float], Awaitable[float]]
Work = Callable[[], Awaitable[int]]


async def at_once() -> None:
    """Nothing has to settle."""


@dataclass(slots=True)
class Figure:
    """One line of the table: a value (a rate, or what `unit` says) once a round.

    `measure` runs for so many seconds. `settle` waits, unmeasured, until what was started has
    ended, so that it does not slow whoever is next. `limits` are names of figures measured in the
    same rounds.
    """

    name: str
    title: str
    unit: str
    measure: Measure
    limits: tuple[str, ...] = ()
    settle: Callable[[], Awaitable[None]] = at_once
    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def spread(self) -> float:
        return spread(self.rounds)


@dataclass(slots=True)
class Latency:
    """Milliseconds from when each call was due, whatever became of the calls before it."""

    name: str
    title: str
    rate: float
    """Calls a second that were due."""
    rounds: list[dict[str, float]] = field(default_factory=list)

    def add(self, milliseconds: Sequence[float], **facts: float) -> None:
        """Keep the quantiles of one round, and what else is known of it."""
        parts = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999}
        found = {name: quantile(milliseconds, part) for name, part in parts.items()}
        self.rounds.append({**found, "samples": float(len(milliseconds)), **facts})

    def median(self, what: str) -> float:
        """The median over the rounds of one of the quantiles or facts."""
        return median(each[what] for each in self.rounds)


@dataclass(slots=True)
class Curve:
    """How a value grows: by x, a value a round."""

    name: str
    title: str
    x_title: str
    unit: str
    points: dict[int, list[float]] = field(default_factory=dict)

    def add(self, x: int, value: float) -> None:
        """Keep one round's value."""
        self.points.setdefault(x, []).append(value)


@dataclass(slots=True)
class Results:
    """Everything that one run found."""

    figures: list[Figure] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    def figure(self, name: str) -> Figure | None:
        """A figure of this run."""
        return next((each for each in self.figures if each.name == name), None)

    def ratio(self, name: str, limit: str) -> float | None:
        """A figure in terms of another one; None where one was not measured."""
        mine, other = self.figure(name), self.figure(limit)
        if mine is None or other is None or not all(other.rounds):
            return None
        if len(mine.rounds) != len(other.rounds):
            return mine.median / other.median
        return paired_ratio(mine.rounds, other.rounds)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how often, and what; handed to every stage."""

    seconds: float
    rounds: int
    quick: bool
    only: frozenset[str]
    progress: Progress

    @property
    def warm_ups(self) -> int:
        """Rounds that do not count; a quick run has none."""
        return 0 if self.quick else 1

    def wants(self, stage: str, *names: str) -> bool:
        """Whether a stage, or one of these figures of it, was asked for."""
        return not self.only or stage in self.only or any(name in self.only for name in names)

    def chosen(self, stage: str, figures: Sequence[Figure]) -> list[Figure]:
        """The figures that were asked for, and their limits."""
        wanted = {each.name for each in figures if self.wants(stage, each.name)}
        wanted |= {limit for each in figures if each.name in wanted for limit in each.limits}
        return [each for each in figures if each.name in wanted]

    async def take_turns(self, stage: str, figures: Sequence[Figure]) -> None:
        """A warm-up of each figure, then rounds of all in turn."""
        bar = self.progress.add_task(stage, total=len(figures) * (self.rounds + self.warm_ups))
        for number in range(-self.warm_ups, self.rounds):
            for figure in figures:
                value = await figure.measure(self.seconds)
                if number >= 0:
                    figure.rounds.append(value)
                await figure.settle()
                self.progress.advance(bar)
        self.progress.remove_task(bar)


def repeated(work: Work) -> Measure:
    """Repeats work of our own process, which says how much it did, for a while."""

    async def measure(seconds: float) -> float:
        started = time.perf_counter()
        done = 0
        while time.perf_counter() - started < seconds:
            done += await work()
        return done / (time.perf_counter() - started)

    return measure
