"""One post as a collector sees it: from the edge to the workers behind the log."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.chassis.config import Settings
from services.chassis.tokens import TokenSigner
from services.local.mesh import running
from tests.collector import Collector, Span, collecting

from .world import World

SERVICES = ("graph", "tweet", "fanout", "search", "notifier", "edge")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
POST = "aviary.tweet.v1.TweetService/CreateTweet"


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
async def traced(collector: Collector) -> AsyncIterator[World]:
    """A mesh of its own, with spans; only what has a `traceparent` is collected."""
    home = Path(tempfile.mkdtemp(prefix="av-"))
    home.chmod(0o711)
    settings = Settings(home=home, edge_port=0, otlp_endpoint=collector.url, otlp_ratio=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        try:
            async with (
                running(settings, services=SERVICES) as mesh,
                httpx.AsyncClient(base_url=mesh.edge_url, timeout=15) as api,
            ):
                yield World(mesh, api, TokenSigner(mesh.settings.signing_key_path))
        finally:
            shutil.rmtree(home, ignore_errors=True)


async def post(world: World, author: int, status: str, **headers: str) -> httpx.Response:
    body = {"user_id": str(author), "status": status}
    reply = await world.api.post(
        "/api/v1/tweet", json=body, headers={**world.auth(author), **headers}
    )
    assert reply.status_code == 200, reply.text
    return reply


async def test_one_post_is_one_trace(traced: World, collector: Collector) -> None:
    author, named, follower = await traced.new_users(3)
    await traced.follow([(follower, author), (named, author)])
    ((name,),) = await traced.sql("graph", f"SELECT user_name FROM users WHERE user_id = {named}")
    parent = f"00-{TRACE}-{PARENT}-01"
    await post(traced, author, f"hello @{name}", traceparent=parent)
    expected = {
        ("edge", "SERVER"),
        ("tweet", "SERVER"),
        ("tweet", "CLIENT"),
        ("graph", "SERVER"),
        ("fanout", "CONSUMER"),
        ("fanout", "CLIENT"),
        ("search", "CONSUMER"),
        ("notifier", "CONSUMER"),
    }

    def seen() -> set[tuple[str, str]]:
        return {(span.service, span.kind) for span in collector.of(TRACE)}

    await collector.until(lambda: expected <= seen())
    spans = collector.of(TRACE)
    by_id = {span.span_id: span for span in spans}
    (edge,) = [span for span in spans if span.service == "edge"]
    assert edge.parent_id == PARENT
    (posted,) = [span for span in spans if (span.service, span.name) == ("tweet", POST)]
    assert posted.parent_id == edge.span_id
    for span in spans:
        if span.kind == "CONSUMER":
            assert span.parent_id == posted.span_id, span
        if (span.service, span.kind) == ("graph", "SERVER"):
            assert by_id[span.parent_id].kind == "CLIENT"
    assert {_caller(by_id, s) for s in spans if s.service == "graph"} >= {"tweet", "fanout"}


async def test_what_nobody_asked_to_see_is_not_sent(traced: World, collector: Collector) -> None:
    (author,) = await traced.new_users(1)
    await post(traced, author, "unseen", traceparent=f"00-{1:032x}-{PARENT}-00")
    reply = await post(traced, author, "without any")
    # Later than whatever these could have caused.
    await post(traced, author, "seen", traceparent=f"00-{2:032x}-{PARENT}-01")

    def followed() -> bool:
        return ("fanout", "CONSUMER") in {
            (span.service, span.kind) for span in collector.of(f"{2:032x}")
        }

    await collector.until(followed)
    assert {span.trace_id for span in collector.spans} <= {TRACE, f"{2:032x}"} | {
        span.trace_id for span in collector.spans if f"{2:032x}" in span.links
    }
    assert reply.headers["x-request-id"]


def _caller(by_id: dict[str, Span], span: Span) -> str:
    return by_id[span.parent_id].service
