"""Deliveries: claimed once, sent once, tried again, given up; by push and by mail."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from services.notify.delivery.endpoints import EndpointRules
from services.notify.delivery.mail import OutboxSender, SmtpSender
from services.notify.delivery.push import VapidKey, key_of, open_sender
from services.notify.domain_preferences import DEFAULTS, Channel, EmailMode
from services.notify.store.subscriptions import Keys

from .post import Post
from .receivers import SECRET, MailServer, PushService, push_service
from .rig import Rig, inbox_rig

# aiosmtpd does not like passwords without TLS; on loopback there is none.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")
A, B = 11, 12


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "vapid.pem"
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(pem)
    return file


@pytest.fixture
async def browser() -> AsyncIterator[PushService]:
    async with push_service() as service:
        yield service


@pytest.fixture
def server() -> Iterator[MailServer]:
    made = MailServer(user="aviary", password="p@ss word")
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def post(
    dsn: str, key_file: Path, browser: PushService, server: MailServer
) -> AsyncIterator[Post]:
    vapid = VapidKey(key_file, "mailto:ops@example.org")
    rules = EndpointRules("", allow_private=True)
    url = server.url.replace("p@ss word", "p%40ss%20word")
    async with inbox_rig(dsn) as rig, open_sender(vapid, rules) as sender:
        made = Post(rig, sender, SmtpSender(url), CollectorRegistry())
        await made.subscriptions.put(
            1, A, f"{browser.url}/a", Keys(key_of(browser.p256dh) or b"", SECRET), "phone"
        )
        yield made


async def mention(rig: Rig, user: int = A) -> int:
    tweet = rig.tweet(B, mentions=[user])
    await rig.tell(rig.posted(tweet))
    return tweet.tweet_id


async def test_one_push_and_one_mail(post: Post, browser: PushService, server: MailServer) -> None:
    await post.wants_mail(A)
    tweet = await mention(post.rig)
    for _ in range(2):
        await post.drain(post.push)
        await post.drain(post.mail)
    [pushed] = browser.got
    assert pushed.payload["body"] == "User 12 mentioned you"
    assert pushed.payload["tweet_id"] == str(tweet)
    assert pushed.headers["urgency"] == "high"
    assert pushed.headers["ttl"] == "86400"
    assert browser.signed_for(pushed.headers) == browser.url
    [mail] = server.box.mails
    assert (mail["To"], mail["Subject"]) == ("u11@example.org", "User 12 mentioned you")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = (part.get_payload(decode=True).decode() for part in mail.get_payload())  # type: ignore[union-attr]
    assert f"/api/v1/tweets/{tweet}" in text
    assert "User &lt;11&gt;" in html
    assert await post.states() == [(2, 1, 1), (3, 1, 1)]


async def test_whoever_does_not_want_it_gets_nothing(
    post: Post, browser: PushService, server: MailServer
) -> None:
    await mention(post.rig)  # by default no mail is even queued
    assert [channel for channel, _, _ in await post.states()] == [2]
    await post.wants_mail(A)
    await mention(post.rig)
    await post.rig.preferences.put(A, DEFAULTS._replace(kinds=(1,) * 9))
    await post.drain(post.push)
    await post.drain(post.mail)
    assert (browser.got, server.box.mails) == ([], [])


async def test_what_was_read_or_deleted_meanwhile_is_not_sent(
    post: Post, browser: PushService
) -> None:
    await mention(post.rig)
    [row] = await post.rig.rows(A)
    await post.rig.inbox.mark_read(A, row.notification_id)
    tweet = await mention(post.rig)
    await post.rig.tell(post.rig.event("TweetDeleted", tweet_id=tweet, user_id=B))
    await post.drain(post.push)
    assert browser.got == []
    assert await post.states() == [(2, 3, 1), (2, 3, 1)]


async def test_a_subscription_that_is_gone_is_forgotten(post: Post, browser: PushService) -> None:
    browser.answers = [(410, {})]
    await mention(post.rig)
    await post.drain(post.push)
    assert await post.subscriptions.of_user(A) == []


async def test_a_push_service_that_is_busy_is_left_alone(post: Post, browser: PushService) -> None:
    browser.answers = [(429, {"Retry-After": "120"}), (503, {}), (400, {})]
    await mention(post.rig)
    await post.drain(post.push)
    [(wait,)] = await post.rig.sql("SELECT due_time > now() + interval '100 s' FROM deliveries")
    assert wait
    await post.now_due()
    await post.drain(post.push)
    await post.now_due()
    await post.drain(post.push)
    assert await post.states() == [(2, 2, 3)]  # what it will never take is dead at once
    assert await post.store.replay(Channel.PUSH, []) == 1
    await post.drain(post.push)
    assert len(browser.got) == 1


@pytest.mark.parametrize("status", [503, 400])
async def test_a_device_that_was_reached_is_not_told_again(
    post: Post, browser: PushService, status: int
) -> None:
    """What is tried again, or replayed, goes to the devices that have not got it."""
    keys = Keys(key_of(browser.p256dh) or b"", SECRET)
    await post.subscriptions.put(2, A, f"{browser.url}/b", keys, "laptop")
    browser.answers = [(status, {})]
    await mention(post.rig)
    await post.drain(post.push)
    assert len(browser.got) == 1
    await post.now_due()
    await post.store.replay(Channel.PUSH, [])
    await post.drain(post.push)
    assert sorted(each.path for each in browser.got) == ["/a", "/b"]
    assert [state for _, state, _ in await post.states()] == [1]


async def test_a_mail_server_that_is_away_for_a_while(post: Post, server: MailServer) -> None:
    await post.wants_mail(A)
    server.stop()
    for _ in range(3):
        await mention(post.rig)
    await post.drain(post.mail)
    assert [state for channel, state, _ in await post.states() if channel == 3] == [0, 0, 0]
    assert server.box.mails == []
    server.start()
    await post.now_due()
    await post.drain(post.mail)
    assert len(server.box.mails) == 3
    assert len({mail["Message-ID"] for mail in server.box.mails}) == 3


async def test_mails_that_are_refused_for_good_or_for_now(post: Post, server: MailServer) -> None:
    await post.wants_mail(A)
    server.box.refuse = ["451 later", "554 never"]
    await mention(post.rig)
    await post.drain(post.mail)
    assert (3, 0, 1) in await post.states()
    await post.now_due()
    await post.drain(post.mail)
    [dead] = await post.store.dead(Channel.EMAIL, 1 << 62, 10)
    assert "554 never" in dead.last_error


async def test_a_day_in_one_mail(post: Post, server: MailServer) -> None:
    await post.wants_mail(A, EmailMode.DAILY)
    for _ in range(3):
        await mention(post.rig)
    await post.drain(post.mail)
    assert server.box.mails == []
    await post.now_due()
    await post.drain(post.mail)
    [mail] = server.box.mails
    assert mail["Subject"] == "3 things happened on Aviary"


async def test_two_workers_share_without_doubling(post: Post, browser: PushService) -> None:
    for _ in range(30):
        await mention(post.rig)
    await asyncio.gather(post.drain(post.push), post.drain(post.push), post.drain(post.push))
    assert len(browser.got) == 30
    assert len({pushed.payload["tag"] for pushed in browser.got}) == 30


async def test_a_crash_between_sending_and_noting_repeats_once(
    post: Post, browser: PushService
) -> None:
    await mention(post.rig)
    claimed = await post.store.claim(Channel.PUSH, 10)
    assert [each.repeated for each in claimed] == [False]
    assert await post.store.claim(Channel.PUSH, 10) == []  # while the lease holds
    await post.rig.sql("UPDATE deliveries SET leased_until = now() - interval '1 s' RETURNING 1")
    await post.drain(post.push)
    assert len(browser.got) == 1
    assert post.count("aviary_notify_deliveries_repeated_total", channel="push") == 1


async def test_a_paused_channel_waits(post: Post, browser: PushService) -> None:
    await post.store.pause(Channel.PUSH, paused=True)
    await mention(post.rig)
    await post.drain(post.push)
    assert browser.got == []
    queues = {queue.channel: queue for queue in await post.store.queues()}
    assert (queues[Channel.PUSH].paused, queues[Channel.PUSH].waiting) == (True, 1)
    await post.store.pause(Channel.PUSH, paused=False)
    await post.drain(post.push)
    assert len(browser.got) == 1


async def test_without_a_server_mails_go_to_a_folder(
    dsn: str, key_file: Path, tmp_path: Path
) -> None:
    async with inbox_rig(dsn) as rig:
        post = Post(rig, None, OutboxSender(tmp_path / "outbox"), CollectorRegistry())
        await post.wants_mail(A)
        await mention(rig)
        await post.drain(post.mail)
    [file] = (tmp_path / "outbox").iterdir()
    assert b"User 12 mentioned you" in file.read_bytes()
    assert file.suffix == ".eml"
