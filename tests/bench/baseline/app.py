# mypy: disable-error-code="import-not-found"
"""The application: `uvicorn --factory app:create_app`, with BASELINE_DSN in the environment.

Tuned as far as its design allows: plain routes without models or dependencies, prepared statements
of asyncpg's connections, rows rendered by orjson, uvloop and httptools, no access log. It checks no
tokens, keeps no idempotency keys and writes no events.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request, Response

POOL = 12
"""Connections of each of the two workers; 4 and 24 gave no more. An index that
includes the text as well made it slower: with 500 followees by a third."""
PAGE = 20
_ROW = """
  SELECT t.tweet_id, t.author_id, t.status, t.create_time, u.user_name, u.display_name
  FROM page p JOIN tweets t USING (tweet_id) JOIN users u ON u.user_id = t.author_id
  ORDER BY t.tweet_id DESC
"""
HOME = f"""
WITH page AS MATERIALIZED (
  SELECT n.tweet_id
  FROM (SELECT target_user_id AS author_id FROM follows WHERE user_id = $1
        UNION ALL SELECT $1) a
  CROSS JOIN LATERAL (
    SELECT tweet_id FROM tweets WHERE author_id = a.author_id
    ORDER BY tweet_id DESC LIMIT {PAGE}) n
  ORDER BY n.tweet_id DESC LIMIT {PAGE})
{_ROW}
"""
USER = f"""
WITH page AS MATERIALIZED (
  SELECT tweet_id FROM tweets WHERE author_id = $1 ORDER BY tweet_id DESC LIMIT {PAGE})
{_ROW}
"""
POST = "INSERT INTO tweets (author_id, status) VALUES ($1, $2) RETURNING tweet_id, create_time"


class Application:
    """The three calls."""

    def __init__(self) -> None:
        self._pool: Any = None

    @asynccontextmanager
    async def lifespan(self, _app: Any) -> AsyncIterator[None]:
        """The pool, as long as the worker runs."""
        dsn = os.environ["BASELINE_DSN"]
        async with asyncpg.create_pool(dsn, min_size=POOL, max_size=POOL) as self._pool:
            yield

    async def home(self, request: Request) -> Response:
        """`GET /home?user_id=N`."""
        return _page(await self._pool.fetch(HOME, int(request.query_params["user_id"])))

    async def user(self, request: Request) -> Response:
        """`GET /user?user_id=N`."""
        return _page(await self._pool.fetch(USER, int(request.query_params["user_id"])))

    async def post(self, request: Request) -> Response:
        """`POST /tweets` with `{"user_id": N, "status": "..."}`."""
        body = orjson.loads(await request.body())
        author, status = int(body["user_id"]), str(body["status"])
        if not 0 < len(status) <= 280:
            return Response(status_code=400)
        row = await self._pool.fetchrow(POST, author, status)
        tweet = {"tweet_id": str(row[0]), "user_id": str(author), "status": status}
        return _json({**tweet, "create_time": row[1]}, 201)


def create_app() -> Any:
    """What uvicorn serves."""
    inside = Application()
    app = FastAPI(lifespan=inside.lifespan, openapi_url=None)
    app.router.add_route("/home", inside.home, methods=["GET"])
    app.router.add_route("/user", inside.user, methods=["GET"])
    app.router.add_route("/tweets", inside.post, methods=["POST"])
    return app


def _page(rows: Any) -> Any:
    tweets = [
        {"tweet_id": str(row[0]), "user_id": str(row[1]), "status": row[2], "create_time": row[3]}
        for row in rows
    ]
    users = {
        row[1]: {"user_id": str(row[1]), "user_name": row[4], "display_name": row[5]}
        for row in rows
    }
    token = tweets[-1]["tweet_id"] if len(tweets) == PAGE else ""
    return _json({"tweets": tweets, "users": list(users.values()), "next_page_token": token})


def _json(content: Any, status: int = 200) -> Any:
    return Response(orjson.dumps(content), status, media_type="application/json")
