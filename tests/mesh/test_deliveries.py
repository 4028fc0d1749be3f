"""Push and mail through the whole mesh (S000-03, S000-44, S000-45)."""

import asyncio
import email
import signal
from email.message import Message
from pathlib import Path
from typing import Any

from tests.notify.receivers import push_service

from .eventually import eventually
from .world import World


def mails_to(world: World, address: str) -> list[Message]:
    folder = Path(world.mesh.settings.outbox_folder)
    found = [email.message_from_bytes(file.read_bytes()) for file in folder.glob("*.eml")]
    return [mail for mail in found if mail["To"] == address]


async def test_a_post_makes_one_push_and_one_mail_for_who_asked(world: World) -> None:
    """S000-03: exactly one each for the follower who asked, none for the one who did not."""
    author, asked, other = await world.new_users(3)
    address = f"u{asked}@example.org"
    async with push_service() as browser:
        for user in (asked, other):
            base = f"/api/v1/users/{user}"
            await world.act(user, "PUT", f"{base}/following/{author}")
            await world.act(user, "PATCH", base, {"email": f"u{user}@example.org"})
            device = {
                "endpoint": f"{browser.url}/{user}",
                "p256dh_key": browser.p256dh,
                "auth_secret": browser.auth,
                "device_name": "laptop",
            }
            made = await world.act(user, "POST", f"{base}/push_subscriptions", device)
            assert made["subscription"]["endpoint_origin"] == browser.url
            preferences = {"email_mode": "EMAIL_MODE_IMMEDIATE"}
            await world.act(user, "PATCH", f"{base}/notification_preferences", preferences)
        path = f"/api/v1/users/{asked}/following/{author}"
        await world.act(asked, "PATCH", path, {"notify": True})
        tweet = await world.post(author, "news for those who asked")

        async def pushes() -> list[tuple[str, str]]:
            return [(each.path, each.payload["tweet_id"]) for each in browser.got]

        await eventually(pushes, [(f"/{asked}", tweet["tweet_id"])])

        async def mails() -> int:
            return len(mails_to(world, address))

        await eventually(mails, 1)
        assert tweet["url"] in str(mails_to(world, address)[0])
        second = await world.post(author, "and more")
        await eventually(mails, 2)
        await eventually(
            pushes, [(f"/{asked}", tweet["tweet_id"]), (f"/{asked}", second["tweet_id"])]
        )
    assert mails_to(world, f"u{other}@example.org") == []


# Noting how this user's deliveries ended takes so long that whoever notes it can be killed.
SLOW_NOTE = """
CREATE FUNCTION slow_note() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM pg_sleep(4); RETURN NEW; END$$;
CREATE TRIGGER slow_note BEFORE UPDATE OF state ON deliveries
  FOR EACH ROW WHEN (OLD.user_id = {user}) EXECUTE FUNCTION slow_note()
"""
# A statement that has reached PostgreSQL goes on without its client: it must not get that far.
NOTES = """
FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'UPDATE deliveries SET state%'
"""
QUICK_NOTE = "DROP TRIGGER slow_note ON deliveries; DROP FUNCTION slow_note()"


async def test_killed_between_sending_and_noting_repeats_once(world: World) -> None:
    """S000-45: what was sent is sent once more, as the same message, and then it is noted."""
    author, me = await world.new_users(2)
    base, address = f"/api/v1/users/{me}", f"u{me}@example.org"
    await world.act(me, "PATCH", base, {"email": address})
    path = f"{base}/notification_preferences"
    await world.act(me, "PATCH", path, {"email_mode": "EMAIL_MODE_IMMEDIATE"})
    name = (await world.act(me, "GET", base))["user"]["user_name"]
    rows = f"SELECT state, attempts FROM deliveries WHERE user_id = {me}"

    async def states() -> list[tuple[int, int]]:
        return [tuple(row) for row in await world.sql("notify", rows)]

    async with push_service() as browser:
        device = {
            "endpoint": f"{browser.url}/{me}",
            "p256dh_key": browser.p256dh,
            "auth_secret": browser.auth,
        }
        await world.act(me, "POST", f"{base}/push_subscriptions", device)

        async def sent() -> tuple[int, int]:
            return len(browser.got), len(mails_to(world, address))

        await world.sql("notify", SLOW_NOTE.format(user=me))
        try:
            await world.post(author, f"@{name}")
            await eventually(sent, (1, 1))
            await eventually(lambda: world.sql("notify", "SELECT count(*)" + NOTES), [(2,)])
            restarts = world.mesh.restarts("notifier")
            world.mesh.kill("notifier", signal.SIGKILL)
            lose = "SELECT pg_terminate_backend(pid)" + NOTES
            assert await world.sql("notify", lose) == [(True,), (True,)]
        finally:
            await world.sql("notify", QUICK_NOTE)
        await world.mesh.until_healthy("notifier", restarts=restarts + 1)
        assert await states() == [(0, 1)] * 2  # sent, and nobody noted it
        expire = f"UPDATE deliveries SET leased_until = now() WHERE user_id = {me}"
        await world.sql("notify", expire)
        await eventually(states, [(1, 2)] * 2)
        await asyncio.sleep(1.5)  # three polls more
        assert await states() == [(1, 2)] * 2
        # The mail has its Message-ID again, and with it its file.
        assert await sent() == (2, 1)
        assert len({pushed.headers["topic"] for pushed in browser.got}) == 1


async def test_one_click_ends_mail_without_login(world: World) -> None:
    author, reader = await world.new_users(2)
    rows = await world.sql("graph", f"SELECT user_name FROM users WHERE user_id = {reader}")
    address = f"u{reader}@example.org"
    await world.act(reader, "PATCH", f"/api/v1/users/{reader}", {"email": address})
    path = f"/api/v1/users/{reader}/notification_preferences"
    await world.act(reader, "PATCH", path, {"email_mode": "EMAIL_MODE_IMMEDIATE"})
    await world.post(author, f"hello @{rows[0][0]}")

    async def mails() -> int:
        return len(mails_to(world, address))

    await eventually(mails, 1)
    link = mails_to(world, address)[0]["List-Unsubscribe"].strip("<>")
    link = link[link.index("/api/") :]
    page = await world.api.get(link)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert f'action="{link}"' in page.text

    async def mode() -> Any:
        return (await world.act(reader, "GET", path))["preferences"]["email_mode"]

    assert await mode() == "EMAIL_MODE_IMMEDIATE", "a link alone changes nothing"
    reply = await world.api.post(link, data={"List-Unsubscribe": "One-Click"})
    assert reply.status_code == 200, reply.text
    assert await mode() == "EMAIL_MODE_OFF"
    for verb in ("GET", "POST"):
        reply = await world.api.request(verb, link[:-1] + "x")
        reason = reply.json()["details"][0]["reason"]
        assert (reply.status_code, reason) == (404, "UNSUBSCRIBE_TOKEN_INVALID")


async def test_devices_and_their_limits(world: World) -> None:
    me, other = await world.new_users(2)
    path = f"/api/v1/users/{me}/push_subscriptions"
    async with push_service() as browser:
        good = {
            "endpoint": f"{browser.url}/x",
            "p256dh_key": browser.p256dh,
            "auth_secret": browser.auth,
        }
        made = await world.act(me, "POST", path, good)
        again = await world.act(me, "POST", path, {**good, "device_name": "phone"})
        number = made["subscription"]["subscription_id"]
        assert again["subscription"]["subscription_id"] == number
        for field, value, reason in [
            ("p256dh_key", "AAAA", "INVALID_ARGUMENT"),
            ("p256dh_key", "B" * 5_000, "INVALID_ARGUMENT"),
            ("auth_secret", "AA", "INVALID_ARGUMENT"),
            ("endpoint", "https://[oops/", "PUSH_ENDPOINT_REFUSED"),
            ("device_name", "x" * 101, "INVALID_ARGUMENT"),
        ]:
            body = {**good, field: value}
            reply = await world.api.post(path, json=body, headers=world.auth(me))
            info = reply.json()["details"][0]
            assert (reply.status_code, info["reason"]) == (400, reason), field
            assert info["metadata"]["field"] == field
    reply = await world.api.delete(f"{path}/{number}", headers=world.auth(other))
    assert reply.status_code == 403
    [listed] = (await world.act(me, "GET", path))["subscriptions"]
    assert listed["device_name"] == "phone"
    assert "auth" not in str(listed)
    await world.act(me, "DELETE", f"{path}/{number}")
    reply = await world.api.delete(f"{path}/{number}", headers=world.auth(me))
    assert reply.json()["details"][0]["reason"] == "PUSH_SUBSCRIPTION_NOT_FOUND"
    key = (await world.api.get("/api/v1/push_key")).json()["public_key"]
    assert len(key) == 87


async def test_operators_see_pause_and_replay(world: World) -> None:
    [user] = await world.new_users(1)
    path = "/api/v1/admin/delivery_queues"
    queues = (await world.act(user, "GET", path, operator=True))["queues"]
    assert [queue["channel"] for queue in queues] == ["CHANNEL_PUSH", "CHANNEL_EMAIL"]
    for paused in (True, False):
        body = {"channel": "CHANNEL_EMAIL", "paused": paused}
        changed = await world.act(user, "PATCH", path, body, operator=True)
        assert changed["queue"]["paused"] is paused
    dead = await world.act(
        user, "GET", "/api/v1/admin/dead_deliveries?channel=CHANNEL_EMAIL", operator=True
    )
    assert dead["deliveries"] == []
    body = {"channel": "CHANNEL_EMAIL"}
    replay = "/api/v1/admin/dead_deliveries:replay"
    assert await world.act(user, "POST", replay, body, operator=True) == {"delivery_count": "0"}
    for verb, where, given, status in [
        ("GET", path, None, 403),
        ("PATCH", path, {"channel": "CHANNEL_EMAIL"}, 403),
    ]:
        reply = await world.api.request(verb, where, json=given, headers=world.auth(user))
        assert (reply.status_code, reply.json()["details"][0]["reason"]) == (
            status, "SCOPE_MISSING",
        )  # fmt: skip
    headers = {"authorization": f"Bearer {world.token(user, scopes=('operator',))}"}
    reply = await world.api.patch(path, json={"channel": "CHANNEL_INBOX"}, headers=headers)
    assert reply.status_code == 400
