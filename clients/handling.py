"""What is done with events belongs to the traces of the calls that they come of.

As OpenTelemetry's conventions for messaging have it: events of one trace are handled within that
trace; a batch of several traces is handled in one of its own, which is linked with theirs.
"""

import contextlib
from collections.abc import Iterator, Sequence

import grpc
import structlog

from aviary.events.v1.event_pb2 import Event

from .context import Origin, current
from .tracing import TRACEPARENT, Kind, Span, distinct, is_sampled, new_parent, trace_id_of

log = structlog.get_logger()


@contextlib.contextmanager
def handling(group: str, events: Sequence[Event]) -> Iterator[None]:
    """Handle events within: lines carry their trace, calls hand it on.

    A line says how it ended: at level debug, but at info where it failed or where somebody asked to
    see the trace (its flag `sampled`). `group` is empty for a reader that keeps its own place.
    """
    parents = distinct(event.traceparent for event in events)
    if not parents:
        yield
        return
    outer = current.get()
    together = len({trace_id_of(parent) for parent in parents}) == 1
    own, spans = _begin(outer, group, len(events), parents, together=together)
    trace = ((TRACEPARENT, own),)
    # Not reset by a token: a generator may be closed in another context than it ran in.
    current.set(Origin(metadata=trace, trace=trace, tracer=outer.tracer))
    failure = "cut off"
    try:
        yield
        failure = ""
    except Exception as error:
        failure = repr(error)
        raise
    finally:
        _tell(group, len(events), [] if together else parents, failure, wanted=_wanted(parents))
        for span in spans:
            span.end(grpc.StatusCode.INTERNAL if failure else grpc.StatusCode.OK, failure)
        current.set(outer)


def _begin(
    outer: Origin, group: str, count: int, parents: Sequence[str], *, together: bool
) -> tuple[str, list[Span]]:
    """The context to work in, and the spans of the work."""
    if outer.tracer is None:
        return parents[-1] if together else new_parent(), []
    name = f"process {group}" if group else "read events"
    attributes: dict[str, str | int] = {
        "messaging.system": "aviary_events",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": count,
    }
    start = outer.tracer.start
    parent = parents[-1] if together else ""
    work = start(name, Kind.CONSUMER, parent, links=parents, attributes=attributes)
    if together:
        return work.traceparent, [work]
    # One in each trace that is collected, so that it can be followed from there, too.
    links = [work.traceparent]
    each = [start(name, Kind.CONSUMER, one, links=links) for one in parents if is_sampled(one)]
    return work.traceparent, [work, *each]


def _wanted(parents: Sequence[str]) -> bool:
    return any(is_sampled(parent) for parent in parents)


def _tell(group: str, count: int, parents: Sequence[str], failure: str, *, wanted: bool) -> None:
    said: dict[str, object] = {"group": group} if group else {}
    if parents:
        said["traces"] = [trace_id_of(parent) for parent in parents]
    if failure:
        log.info("events not handled", count=count, why=failure, **said)
    elif wanted:
        log.info("events handled", count=count, **said)
    else:
        log.debug("events handled", count=count, **said)
