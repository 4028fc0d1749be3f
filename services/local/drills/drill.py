"""The table of drills, and how one is run: calm, fault, calm, then the audit."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from services.chassis.tokens import TokenSigner
from services.local.drills import faults
from services.local.drills.audit import Audit
from services.local.drills.cast import Cast, sign_up, sign_up_crowd
from services.local.drills.edges import Edges, open_edges
from services.local.drills.ledger import Ledger
from services.local.drills.load import Load, Outcome
from services.local.drills.report import Limits, Report, Side, recovery
from services.local.drills.target import FaultMissingError, Target

DEFAULT_RATE = 60.0
CROWD = 240
"""Two calls in five read a home timeline: at 60 a second everybody of a crowd has read in 10 s."""
Fault = Callable[[Target, Random], Awaitable[str]]
Enlist = Callable[[Edges], Awaitable[Cast]]


@dataclass(frozen=True, slots=True)
class Drill:
    """A fault and what must be kept under it."""

    name: str
    promise: str
    """Numbers of the promises in docs/reliability.md."""
    fault: Fault
    limits: Limits
    control: Fault | None = None
    """A fault under which it must fail; None: nothing happens, and a false entry is audited."""
    crowd: int = 0
    """Readers beside the authors; 0 for none."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a drill is run."""

    rate: float = DEFAULT_RATE
    seed: int = 1
    control: bool = False
    ledger_folder: Path = Path()
    before: float = 3.0
    """Seconds of load before the fault."""
    after: float = 4.0
    """Seconds of load after it has healed."""
    settle: float = 30.0
    """Seconds within which deliveries must be complete."""


def drills(kills: int, zone_seconds: float) -> dict[str, Drill]:
    """All drills by name, in the order in which they run."""
    rows = [
        Drill("flush", "3", _plain(faults.flush_redis), Limits(recovery_seconds=10.0), crowd=CROWD),
        Drill("promote", "1, 5", _plain(faults.promote), Limits(0.0, 0.5, 0.0, 10.0),
              control=_plain(faults.lose_answered_writes)),
        Drill("redis", "4", _plain(faults.fail_redis_over), Limits()),
        Drill("redis-hang", "4", _plain(faults.hang_redis), Limits()),
        Drill("hang", "6", faults.hang, Limits(0.05, 0.5, 3.0, 12.0)),
        Drill("kill", "1, 2, 6", partial(_kill, kills), Limits(0.001, 0.2, 1.0, 10.0)),
        Drill("zone", "8", partial(_zone, zone_seconds, "without"), Limits(0.001, 0.01, 1.0, 3.0)),
        Drill("zone-primary", "1, 5, 8", partial(_zone, zone_seconds / 2, "with"),
              Limits(0.001, 0.2, 1.0, 10.0)),
        Drill("roll", "7", _plain(faults.roll), Limits()),
    ]  # fmt: skip
    return {row.name: row for row in rows}


async def run(drill: Drill, target: Target, options: Options) -> Report:
    """Run one drill on a mesh that is healthy; it is healthy again afterwards, or it failed."""
    fault = (drill.control or _nothing) if options.control else drill.fault
    forged = options.control and drill.control is None

    async def inject() -> str:
        return await fault(target, Random(options.seed))  # noqa: S311 - repeatable

    signer = TokenSigner(target.settings.signing_key_path)

    async def enlist(edges: Edges) -> Cast:
        # In a mesh of mutual TLS only services may import users.
        if not drill.crowd or target.settings.mesh:
            return await sign_up(edges, signer)
        return await sign_up_crowd(edges, signer, target.address("graph"), drill.crowd)

    return await _run(drill, target.edges, enlist, options, inject, target.healthy, forged=forged)


async def watch(
    edges: Sequence[str], signing_key: Path, seconds: float, options: Options
) -> Report:
    """The load and the audit alone, while the fault is somebody else's, such as kubectl's."""

    async def wait() -> str:
        await asyncio.sleep(seconds)
        return f"watched for {seconds:.0f} s"

    drill = Drill("watch", "1, 6, 7, 8", _nothing, Limits(0.001, 0.01, 3.0, 10.0))
    enlist = partial(sign_up, signer=TokenSigner(signing_key))
    return await _run(drill, edges, enlist, options, wait, _healed, forged=options.control)


async def _run(
    drill: Drill,
    addresses: Sequence[str],
    enlist: Enlist,
    options: Options,
    inject: Callable[[], Awaitable[str]],
    heal: Callable[[], Awaitable[None]],
    *,
    forged: bool,
) -> Report:
    started = time.monotonic()
    file = options.ledger_folder / f"{drill.name}.ledger.jsonl"
    async with open_edges(addresses) as edges:
        cast = await enlist(edges)
        with contextlib.closing(Ledger(file)) as ledger:
            load = Load(edges, cast, ledger, options.rate)
            happened, missing, fault = await _under(load, inject, options)
            await heal()
            if forged:
                ledger.note("post", cast.authors[0], 1, "never made")
            answered = len(ledger.answered)
            findings = await Audit(edges, cast, ledger).settled(options.settle)
    return Report(
        name=drill.name,
        fault=happened,
        missing=missing,
        recovery=None
        if drill.limits.recovery_seconds is None
        else recovery((row for row in load.outcomes if not row.writes), fault),
        reads=_side(load.outcomes, writes=False),
        writes=_side(load.outcomes, writes=True),
        limits=drill.limits,
        findings=findings,
        answered=answered,
        errors=Counter(f"{row.kind}: {row.error}" for row in load.outcomes if row.error),
        seconds=time.monotonic() - started,
    )


async def _under(
    load: Load, inject: Callable[[], Awaitable[str]], options: Options
) -> tuple[str, str, float]:
    """The fault under load: what happened, or why it did not, and when."""
    async with load.running():
        await asyncio.sleep(options.before)
        fault = time.monotonic()
        try:
            happened, missing = await inject(), ""
        except FaultMissingError as error:
            happened, missing = "", str(error)
        await asyncio.sleep(options.after)
    return happened, missing, fault


async def _healed() -> None:
    return


def _side(outcomes: list[Outcome], *, writes: bool) -> Side:
    return Side.of(row for row in outcomes if row.writes == writes)


async def _nothing(_target: Target, _random: Random) -> str:
    await asyncio.sleep(1.0)
    raise FaultMissingError("this is a control")


def _plain(fault: Callable[[Target], Awaitable[str]]) -> Fault:
    async def run_fault(target: Target, _random: Random) -> str:
        return await fault(target)

    return run_fault


async def _kill(kills: int, target: Target, random: Random) -> str:
    return await faults.kill_at_random(target, random, kills)


async def _zone(seconds: float, which: str, target: Target, _random: Random) -> str:
    """The zone with PostgreSQL's primary, or one without a primary of anything."""
    primary = target.process(await faults.primary_of(target)).zone
    redis = target.process(await faults.redis_of(target)).zone
    if which == "with":
        return await faults.lose_zone(target, primary, seconds)
    zone = next(zone for zone in reversed(target.zones()) if zone not in (primary, redis))
    return await faults.lose_zone(target, zone, seconds)
