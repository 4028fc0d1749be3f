"""Direct messages through the whole mesh, over REST, gRPC and Server-Sent Events (S004-04)."""

import asyncio
import signal
from typing import Any

from aviary.notify.v1 import notify_service_pb2 as pb
from clients.channel import Peer, bearer

from .eventually import eventually
from .test_notifications import kinds
from .world import World

PATH = "/api/v1/conversations"


async def friends(world: World, count: int) -> list[int]:
    """Users who all follow each other, so that nobody has to be asked."""
    users = await world.new_users(count)
    await world.follow([(a, b) for a in users for b in users if a != b])
    return users


async def start(world: World, user: int, *others: int, **fields: Any) -> str:
    body = {"user_ids": [str(other) for other in others], **fields}
    made = await world.act(user, "POST", PATH, body)
    number: str = made["conversation"]["conversation_id"]
    return number


async def say(world: World, user: int, where: str, text: str, **fields: Any) -> dict[str, Any]:
    sent = await world.act(user, "POST", f"{PATH}/{where}/messages", {"text": text, **fields})
    message: dict[str, Any] = sent["message"]
    return message


async def texts(world: World, user: int, where: str, **params: str) -> list[str]:
    query = "&".join(f"{name}={value}" for name, value in params.items())
    page = await world.act(user, "GET", f"{PATH}/{where}/messages?{query}")
    return [message["text"] for message in page["messages"]]


async def refused(world: World, user: int, verb: str, path: str, body: Any = None) -> str:
    reply = await world.api.request(verb, path, json=body, headers=world.auth(user))
    assert reply.status_code >= 400, reply.text
    reason: str = reply.json()["details"][0]["reason"]
    return reason


async def test_two_friends(world: World) -> None:
    ann, bob = await friends(world, 2)
    where = await start(world, ann, bob)
    assert await start(world, bob, ann) == where
    first = await say(world, ann, where, "hello bob")
    second = await say(world, bob, where, "hello ann")
    assert int(second["message_id"]) > int(first["message_id"])
    assert await texts(world, ann, where) == ["hello ann", "hello bob"]
    [listed] = (await world.act(ann, "GET", PATH))["conversations"]
    assert (listed["unread_count"], listed["last_message"]["text"]) == ("1", "hello ann")
    read = {"message_id": second["message_id"]}
    marked = await world.act(ann, "POST", f"{PATH}/{where}:markRead", read)
    assert marked == {"unread_count": "0"}
    again = {"message_id": first["message_id"]}
    assert await world.act(ann, "POST", f"{PATH}/{where}:markRead", again) == marked
    assert await kinds(world, bob) == ["MESSAGE", "FOLLOW"]
    await world.act(ann, "DELETE", f"{PATH}/{where}/messages/{second['message_id']}")
    assert await texts(world, ann, where) == ["hello bob"]
    assert await texts(world, bob, where) == ["hello ann", "hello bob"]
    await world.act(bob, "DELETE", f"{PATH}/{where}")
    assert (await world.act(bob, "GET", PATH))["conversations"] == []
    await say(world, ann, where, "still there?")
    assert await texts(world, bob, where) == ["still there?"]


async def test_strangers_ask_first(world: World) -> None:
    ann, stranger = await world.new_users(2)
    where = await start(world, stranger, ann)
    await say(world, stranger, where, "buy my things")
    mine = await world.act(ann, "GET", PATH)
    assert (mine["conversations"], mine["unread_count"]) == ([], "0")
    [asked] = (await world.act(ann, "GET", f"{PATH}?requests=true"))["conversations"]
    assert asked["request"] is True
    assert await kinds(world, ann) == []
    accepted = await world.act(ann, "POST", f"{PATH}/{where}:accept", {})
    assert accepted["conversation"]["request"] is False
    assert (await world.act(ann, "GET", f"{PATH}?requests=true"))["conversations"] == []
    await say(world, stranger, where, "thank you")
    assert await kinds(world, ann) == ["MESSAGE"]


async def test_blocks_hold(world: World) -> None:
    ann, bob = await friends(world, 2)
    where = await start(world, ann, bob)
    await world.act(bob, "PUT", f"/api/v1/users/{bob}/blocks/{ann}")

    async def reason() -> str:
        reply = await world.api.post(
            f"{PATH}/{where}/messages", json={"text": "x"}, headers=world.auth(ann)
        )
        return "" if reply.status_code == 200 else str(reply.json()["details"][0]["reason"])

    await eventually(reason, "BLOCKED")
    before = len(await texts(world, bob, where))
    assert await refused(
        world, bob, "POST", f"{PATH}/{where}/messages", {"text": "y"}
    ) == "BLOCKED"  # fmt: skip
    assert len(await texts(world, bob, where)) == before
    assert await refused(world, ann, "POST", PATH, {"user_ids": [str(bob)]}) == "BLOCKED"


async def test_without_graph_nothing_is_sent(world: World) -> None:
    """Nobody can say whether a block holds, and what was known a moment ago does not count."""
    ann, bob = await friends(world, 2)
    where = await start(world, ann, bob)
    await say(world, ann, where, "before")
    await world.mesh.stop("graph")
    try:
        path = f"{PATH}/{where}/messages"
        assert await refused(world, ann, "POST", path, {"text": "x"}) == "UNAVAILABLE"
    finally:
        await world.mesh.start("graph")

    async def sent() -> int:
        reply = await world.api.post(path, json={"text": "after"}, headers=world.auth(ann))
        return reply.status_code

    await eventually(sent, 200)
    assert await texts(world, bob, where) == ["after", "before"]


async def test_whoever_muted_or_blocked_is_not_notified(world: World) -> None:
    """In a group all see what is said; who does not want to hear of its author is not called."""
    ann, bob, cid, dot = await friends(world, 4)
    where = await start(world, ann, bob, cid, dot)
    await world.act(cid, "PUT", f"/api/v1/users/{cid}/mutes/{ann}", {})
    await world.act(dot, "PUT", f"/api/v1/users/{dot}/blocks/{ann}", {})
    await say(world, ann, where, "all of you")
    assert "MESSAGE" in await kinds(world, bob)
    for silent in (cid, dot):
        assert "MESSAGE" not in await kinds(world, silent)
        assert await texts(world, silent, where) == ["all of you"]


async def test_groups_and_shared_tweets(world: World) -> None:
    """S004-03: a tweet is shared; a protected one only where everybody may see it."""
    ann, bob, cid, outsider = await friends(world, 4)
    where = await start(world, ann, bob, cid, title="birds")
    tweet = await world.post(outsider, "look at this")
    await say(world, ann, where, "", tweet_id=tweet["tweet_id"])
    page = await world.act(bob, "GET", f"{PATH}/{where}/messages")
    assert [each["tweet_id"] for each in page["tweets"]] == [tweet["tweet_id"]]
    [closed] = await world.new_users(1)
    await world.follow([(ann, closed), (bob, closed)])
    await world.act(closed, "PATCH", f"/api/v1/users/{closed}", {"protected": True})
    secret = await world.post(closed, "for followers only")
    share = {"tweet_id": secret["tweet_id"]}
    path = f"{PATH}/{where}/messages"
    await asyncio.sleep(1.1)  # verdicts are kept for a second
    assert await refused(world, ann, "POST", path, share) == "TWEET_NOT_SHAREABLE"
    assert await refused(world, cid, "POST", path, share) == "TWEET_NOT_FOUND"
    await world.act(cid, "DELETE", f"{PATH}/{where}")
    assert await refused(world, cid, "GET", f"{PATH}/{where}") == "CONVERSATION_NOT_FOUND"
    await say(world, ann, where, "", **share)
    members = (await world.act(ann, "GET", f"{PATH}/{where}"))["conversation"]
    assert sorted(map(int, members["member_user_ids"])) == sorted([ann, bob])


async def test_sending_again_sends_once(world: World) -> None:
    ann, bob = await friends(world, 2)
    where = await start(world, ann, bob)
    sent = [say(world, ann, where, "once", request_id="k1") for _ in range(20)]
    numbers = {message["message_id"] for message in await asyncio.gather(*sent)}
    assert len(numbers) == 1
    assert await texts(world, bob, where) == ["once"]
    body = {"text": "something else", "request_id": "k1"}
    path = f"{PATH}/{where}/messages"
    assert await refused(world, ann, "POST", path, body) == "IDEMPOTENCY_MISMATCH"


async def test_one_order_for_everybody(world: World) -> None:
    """Many senders at once, the service killed in between: each reader sees one whole order."""
    users = await friends(world, 5)
    where = await start(world, users[0], *users[1:], title="crowd")
    acknowledged: list[int] = []

    async def sender(user: int) -> None:
        for number in range(12):
            body = {"text": f"{user} {number}", "request_id": f"{user}-{number}"}
            while True:
                reply = await world.api.post(
                    f"{PATH}/{where}/messages", json=body, headers=world.auth(user)
                )
                if reply.status_code == 200:
                    acknowledged.append(int(reply.json()["message"]["message_id"]))
                    break
                await asyncio.sleep(0.1)

    restarts = world.mesh.restarts("notify")
    sending = [asyncio.create_task(sender(user)) for user in users]
    await asyncio.sleep(0.3)
    world.mesh.kill("notify", signal.SIGKILL)
    await asyncio.gather(*sending)
    await world.mesh.until_healthy("notify", restarts=restarts + 1)
    orders = []
    for user in users:
        page = await world.act(user, "GET", f"{PATH}/{where}/messages?page_size=100")
        orders.append([int(message["message_id"]) for message in page["messages"]])
    assert all(order == orders[0] for order in orders)
    assert orders[0] == sorted(set(acknowledged), reverse=True)
    assert len(orders[0]) == 60
    walked: list[str] = []
    token = ""
    while True:
        query = f"?page_size=7&page_token={token}"
        page = await world.act(users[1], "GET", f"{PATH}/{where}/messages{query}")
        walked += [message["message_id"] for message in page["messages"]]
        token = page["next_page_token"]
        if not token:
            break
    assert list(map(int, walked)) == orders[0]
    unread = (await world.act(users[2], "GET", f"{PATH}/{where}"))["conversation"]
    assert int(unread["unread_count"]) <= 48


async def test_the_stream_tells_and_resumes(world: World) -> None:
    ann, bob = await friends(world, 2)
    where = await start(world, ann, bob)
    address = world.mesh.edge_url.removeprefix("http://")
    async with Peer("edge", address) as edge:
        method = "/aviary.notify.v1.NotifyService/StreamMessages"
        stream = edge.server_stream(method, pb.StreamMessagesResponse)

        async def told(count: int, last: str = "") -> tuple[list[str], str]:
            """So many messages' texts, and the last cursor."""
            found: list[str] = []
            request = pb.StreamMessagesRequest(last_event_id=last)
            pieces = stream(request, metadata=bearer(world.token(bob)))
            async for piece in pieces:
                for line in piece.event_stream.data.decode().splitlines():
                    if line.startswith("id: "):
                        last = line.removeprefix("id: ")
                    if '"text":"' in line:
                        found.append(line.split('"text":"')[1].split('"')[0])
                if len(found) >= count:
                    break
            await pieces.aclose()
            return found, last

        first = asyncio.create_task(told(2))
        await asyncio.sleep(0.5)
        await say(world, ann, where, "one")
        await say(world, ann, where, "two")
        async with asyncio.timeout(10):
            texts_told, cursor = await first
        assert texts_told == ["one", "two"]
        await say(world, ann, where, "three")
        await say(world, bob, where, "four")
        async with asyncio.timeout(10):
            assert (await told(2, cursor))[0] == ["three", "four"]


async def test_a_tweet_is_shared_with_friends(world: World) -> None:
    """S004-04: a message with the tweet for each; a protected one only to who may see it."""
    ann, bob, cid = await friends(world, 3)
    tweet = await world.post(ann, "for you")
    path = f"/api/v1/tweets/{tweet['tweet_id']}:share"
    body = {"user_ids": [str(ann), str(cid)], "text": "look", "request_id": "share-1"}
    sent = (await world.act(bob, "POST", path, body))["messages"]
    assert len(sent) == 2
    assert (await world.act(bob, "POST", path, body))["messages"] == sent
    for user, message in zip((ann, cid), sent, strict=True):
        shown = await world.act(user, "GET", f"{PATH}/{message['conversation_id']}/messages")
        assert [one["text"] for one in shown["messages"]] == ["look"]
        assert [one["tweet_id"] for one in shown["tweets"]] == [tweet["tweet_id"]]
    await eventually(lambda: kinds(world, cid), ["MESSAGE", "FOLLOW"])
    (stranger,) = await world.new_users(1)
    await world.act(ann, "PATCH", f"/api/v1/users/{ann}", {"protected": True})

    async def reason() -> str:
        body = {"user_ids": [str(cid), str(stranger)]}
        reply = await world.api.post(path, json=body, headers=world.auth(bob))
        return "" if reply.status_code == 200 else str(reply.json()["details"][0]["reason"])

    await eventually(reason, "TWEET_NOT_SHAREABLE")
    assert await refused(world, bob, "POST", path, {"user_ids": []}) == "INVALID_ARGUMENT"
    assert await refused(world, bob, "POST", path, {"user_ids": ["987"]}) == "USER_NOT_FOUND"
