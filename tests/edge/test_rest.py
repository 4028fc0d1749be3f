"""REST through a real edge."""

import asyncio
import json
import shutil

import httpx
import pytest

from .calls import outcome_of
from .conftest import Edge

SEED = '{ "user_id": "123", "auth_token": "ABC123", "status": "hello world!", "media_ids": "" }'


async def curl(*arguments: str) -> bytes:
    """What curl prints."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    run = await asyncio.create_subprocess_exec(
        program, "-sS", "--noproxy", "*", *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await run.communicate()
    return output


async def test_the_seeds_post(edge: Edge) -> None:
    """As printed: no content type given, so curl says it is a form."""
    url = f"http://{edge.address}/api/v1/tweet"
    answer = json.loads(await curl("-X", "POST", "--data", SEED, url))
    assert answer["tweet_id"] == "987"
    assert answer["user_id"] == "123"
    assert answer["status"] == "hello world!"
    assert answer["created_at"] == "Wed Sep 05 00:37:15 +0000 2012"
    seen = edge.log.last.request
    assert (seen.user_id, seen.auth_token, seen.media_ids.string_value) == ("123", "ABC123", "")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "application/json", "text/plain", ""]
)
async def test_any_content_type_is_json(edge: Edge, kind: str) -> None:
    headers = {**edge.bearer(), "content-type": kind} if kind else edge.bearer()
    answer = await edge.http.post("/api/v1/tweets", content=SEED, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["status"] == "hello world!"


async def test_metadata_of_the_service_becomes_headers(edge: Edge) -> None:
    answer = await edge.http.post("/api/v1/tweet", content=SEED, headers=edge.bearer())
    assert answer.headers["location"] == "http://aviary.test/tweets/987"


async def test_headers_reach_the_service(edge: Edge) -> None:
    sent = {"idempotency-key": "key-1", "x-request-id": "request-1", "x-api-dev-key": "dev-1"}
    answer = await edge.http.post("/api/v1/tweet", content=SEED, headers=edge.bearer() | sent)
    assert sent.items() <= edge.log.last.headers.items()
    assert answer.headers["x-request-id"] == "request-1"


async def test_a_plus_in_a_query_is_a_space(edge: Edge) -> None:
    answer = await edge.http.get(
        "/api/v1/users:lookup?user_name=hello+big%2Bworld", headers=edge.bearer()
    )
    assert answer.json()["user"]["user_name"] == "hello big+world"


async def test_defaults_are_printed_and_names_are_kept(edge: Edge) -> None:
    answer = await edge.http.get("/api/v1/users:lookup?user_name=a", headers=edge.bearer())
    assert answer.json()["user"]["followers_count"] == "0"
    assert answer.json()["user"]["protected"] is False


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
async def test_put_and_delete(edge: Edge, verb: str) -> None:
    path = "/api/v1/tweets/5/favorites/me"
    answer = await edge.http.request(verb, path, headers=edge.bearer())
    assert answer.status_code == 200
    assert (edge.log.last.request.tweet_id, edge.log.last.request.user_id) == (5, "me")


async def test_a_page_of_more_than_a_mebibyte(edge: Edge) -> None:
    answer = await edge.http.get("/api/v1/user_timeline?page_size=100", headers=edge.bearer())
    assert len(answer.content) > 1 << 20
    assert len(answer.json()["tweets"]) == 100


async def test_an_event_stream(edge: Edge) -> None:
    answer = await edge.http.get("/api/v1/home_timeline:stream", headers=edge.bearer())
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text == "id: 1\ndata: a\n\nid: 2\ndata: b\n\n"


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "reason", "explained"),
    [
        ("GET", "/api/v1/users:lookup?user_nme=a", b"", 400, "MALFORMED_REQUEST", "user_nme"),
        ("GET", "/api/v1/tweets/abc", b"", 400, "MALFORMED_REQUEST", "tweet_id"),
        ("GET", "/api/v1/tweets/..%2fadmin", b"", 400, "MALFORMED_REQUEST", ""),
        ("POST", "/api/v1/tweet", b'{"status": ', 400, "MALFORMED_REQUEST", "Unexpected end"),
        ("POST", "/api/v1/tweet", b'{"status": 5}', 400, "MALFORMED_REQUEST", ""),
        (
            "POST",
            "/api/v1/tweet",
            b'{"media_ids": %s}' % (b"[" * 20000 + b"]" * 20000),
            400,
            "MALFORMED_REQUEST",
            "too deep",
        ),
        # Valid all along, or the transcoder may refuse its beginning before its length is known.
        (
            "POST",
            "/api/v1/tweet",
            b'{"status": "%s"}' % (b"a" * 65522),
            413,
            "REQUEST_TOO_LARGE",
            "65535",
        ),
        ("GET", "/api/v1/twet?x=1", b"", 404, "UNKNOWN_PATH", "GET /api/v1/twet;"),
        ("POST", "/api/v1/home_timeline", b"", 404, "UNKNOWN_PATH", "POST"),
        ("POST", "/", b"", 404, "UNKNOWN_PATH", "POST"),
    ],
)
async def test_bad_requests(
    edge: Edge, verb: str, path: str, body: bytes, status: int, reason: str, explained: str
) -> None:
    before = len(edge.log.calls)
    answer = await edge.http.request(verb, path, content=body, headers=edge.bearer())
    outcome = outcome_of(answer)
    assert (outcome.http, outcome.reason) == (status, reason)
    assert explained in answer.json()["message"]
    assert len(edge.log.calls) == before


async def test_a_body_just_below_the_limit_passes(edge: Edge) -> None:
    body = b'{"status": "%s"}' % (b"a" * (65535 - 14))
    assert len(body) == 65535
    answer = await edge.http.post("/api/v1/tweet", content=body, headers=edge.bearer())
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"x-long": "a" * 40_000}, {f"x-{number}": "a" for number in range(110)}],
    ids=["long", "many"],
)
async def test_headers_beyond_the_limit(edge: Edge, headers: dict[str, str]) -> None:
    outcome = outcome_of(await edge.http.get("/api/v1/tweets/1", headers=headers))
    assert (outcome.http, outcome.reason) == (431, "REQUEST_TOO_LARGE")


async def test_grpc_paths_are_no_rest_paths(edge: Edge) -> None:
    """An internal method cannot be reached by calling its gRPC path with JSON."""
    before = len(edge.log.calls)
    for name in ("ListUserTweets", "GetTweet"):
        path = f"/aviary.tweet.v1.TweetService/{name}"
        outcome = outcome_of(await edge.http.post(path, content=b"{}", headers=edge.bearer()))
        assert (outcome.http, outcome.reason) == (404, "UNKNOWN_PATH")
    assert len(edge.log.calls) == before


async def test_health(edge: Edge) -> None:
    assert (await edge.http.get("/healthz")).status_code == 200


async def test_the_page(edge: Edge) -> None:
    answer = await edge.http.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert edge.settings.public_url in answer.text
    assert (await edge.http.head("/")).status_code == 200


async def test_openapi(edge: Edge) -> None:
    answer = await edge.http.get("/api/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["servers"] == [{"url": edge.settings.public_url}]
    assert "/api/v1/home_timeline" in answer.json()["paths"]


async def test_metrics(edge: Edge) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        base = f"http://127.0.0.1:{edge.settings.metrics_port}"
        text = (await client.get(f"{base}/metrics")).text
        assert "envoy_http_downstream_rq_total" in text
        assert (await client.post(f"{base}/metrics")).status_code == 404
        assert (await client.get(f"{base}/quitquitquit")).status_code == 404


async def test_http2_with_prior_knowledge(edge: Edge) -> None:
    form = ("-w", "%{http_version} %{http_code}", "-o", "/dev/null")
    url = f"http://{edge.address}/api/v1/tweets/1"
    assert await curl("--http2-prior-knowledge", *form, url) == b"2 200"
