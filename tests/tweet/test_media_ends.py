"""The end of media: deletion, orphans, crashes in between, and two who meet."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import psycopg
import pytest

from services.chassis.config import Settings
from services.chassis.errors import UnavailableError
from services.chassis.stores import open_pool
from services.tweet.media.objects import MediaObjects, open_objects
from services.tweet.media.spool import Spool
from services.tweet.media.store import MediaStore
from services.tweet.media.sweeping import Sweeper

from . import samples
from .harness import BOB, Refused
from .media_rig import MediaRig, ids, key_of

OLDER = "UPDATE media SET create_time = create_time - %s * interval '1 hour'"


@pytest.fixture
async def store(media: MediaRig, config: Settings) -> AsyncIterator[MediaStore]:
    """The rows, as another replica has them."""
    assert media
    async with open_pool(config.tweet_dsn, size=4, name="test") as pool:
        yield MediaStore(pool)


@pytest.fixture
def objects(config: Settings) -> MediaObjects:
    return open_objects(config.object_store, config.media_folder)


@pytest.fixture
def sweeper(store: MediaStore, objects: MediaObjects, media: MediaRig) -> Sweeper:
    """Another replica's sweeper, which works when it is told to."""
    return Sweeper(store, objects, Spool(media.uploads, idle_seconds=1, max_uploads=1))


async def test_media_of_a_deleted_tweet_go_with_it(media: MediaRig) -> None:
    """S001-40: no row, no object, no content; soon, not at the next sweep."""
    photo = await media.upload(samples.picture(size=(1_000, 500)))
    assert len(media.objects()) == 3
    tweet = await media.tweets.create(status="x", media_ids=ids(photo))
    await media.tweets.delete(tweet.tweet_id)
    await media.assert_nothing_left()
    with pytest.raises(Refused) as caught:
        await media.content(photo.url)
    assert caught.value.reason == "MEDIA_NOT_FOUND"


async def test_a_medium_stays_while_another_tweet_shows_it(media: MediaRig) -> None:
    photo = await media.upload(samples.picture(size=(100, 50)))
    tweets = [await media.tweets.create(status=f"{n}", media_ids=ids(photo)) for n in range(2)]
    await media.tweets.delete(tweets[0].tweet_id)
    assert await media.rows() == 1
    assert media.objects() == {key_of(photo.url)}
    await media.tweets.delete(tweets[1].tweet_id)
    await media.assert_nothing_left()


async def test_tweets_deleted_at_once_leave_no_medium(media: MediaRig) -> None:
    """Neither must take the other one's use for a reason to keep it."""
    photo = await media.upload(samples.picture(size=(100, 50)))
    tweets = [await media.tweets.create(status=f"{n}", media_ids=ids(photo)) for n in range(8)]
    await asyncio.gather(*(media.tweets.delete(tweet.tweet_id) for tweet in tweets))
    await media.assert_nothing_left()


async def test_an_object_stays_while_another_medium_needs_it(
    media: MediaRig, sweeper: Sweeper
) -> None:
    data = samples.picture(size=(100, 50))
    mine, theirs = await media.upload(data), await media.upload(data, user=BOB)
    tweet = await media.tweets.create(status="x", media_ids=ids(mine))
    await media.tweets.delete(tweet.tweet_id)
    await sweeper.collect()
    assert await media.rows() == 1
    assert await media.served(theirs)


@pytest.mark.parametrize(("hours", "left"), [(23, 1), (25, 0)])
async def test_orphans_are_swept_after_a_day(
    media: MediaRig, sweeper: Sweeper, hours: int, left: int
) -> None:
    used, unused = [await media.upload(samples.picture(size=(n, 50))) for n in (100, 101)]
    await media.tweets.create(status="x", media_ids=ids(used))
    await media.tweets.sql(OLDER, hours)
    await sweeper.sweep()
    assert await media.rows() == 1 + left
    assert media.objects() == {key_of(each.url) for each in (used, unused)[: 1 + left]}


async def test_a_claim_of_a_dead_process_is_swept(media: MediaRig, sweeper: Sweeper) -> None:
    """Killed between the claim and READY: after an hour nothing is left of it."""
    await media.upload(samples.picture(size=(100, 50)))
    await media.tweets.sql("UPDATE media SET ready_time = NULL")
    await sweeper.sweep()
    assert await media.rows() == 1
    await media.tweets.sql(OLDER, 2)
    await sweeper.sweep()
    await media.assert_nothing_left()


async def test_folders_of_dead_processes_are_swept(media: MediaRig, sweeper: Sweeper) -> None:
    for name, age in (("dead", 7_200), ("alive", 60)):
        folder = media.uploads / name
        folder.mkdir(parents=True)
        (folder / "body").write_bytes(b"x")
        os.utime(folder, (time.time() - age,) * 2)
    await sweeper.sweep()
    assert [folder.name for folder in media.uploads.glob("*")] == ["alive"]


async def test_whoever_dies_between_row_and_object_leaves_a_note(
    media: MediaRig, store: MediaStore, sweeper: Sweeper
) -> None:
    photo = await media.upload(samples.picture(size=(100, 50)))
    await store.give_up(photo.media_id)
    assert await store.garbage() == [key_of(photo.url)]
    assert media.objects() == {key_of(photo.url)}
    assert await sweeper.collect() == 1
    await media.assert_nothing_left()


async def test_a_store_that_is_away_keeps_the_note(
    media: MediaRig, store: MediaStore, monkeypatch: pytest.MonkeyPatch, sweeper: Sweeper
) -> None:
    photo = await media.upload(samples.picture(size=(100, 50)))
    await store.give_up(photo.media_id)

    async def away(_objects: MediaObjects, _key: str) -> None:
        raise UnavailableError(resource="the object store")

    with monkeypatch.context() as patch:
        patch.setattr(MediaObjects, "delete", away)
        with pytest.raises(UnavailableError):
            await sweeper.collect()
    assert await store.garbage() == [key_of(photo.url)]
    await sweeper.collect()
    await media.assert_nothing_left()


async def test_an_upload_waits_for_whoever_deletes_its_object(
    media: MediaRig, store: MediaStore, objects: MediaObjects
) -> None:
    """An object found to be there must not go away behind the finder's back."""
    data = samples.picture(size=(100, 50))
    first = await media.upload(data)
    key = key_of(first.url)
    await store.give_up(first.media_id)
    async with store.collecting(key) as unneeded:
        assert unneeded
        second = asyncio.create_task(media.upload(data, user=BOB))
        async with asyncio.timeout(10):
            while not await _waiting(media):
                await asyncio.sleep(0.01)
        await objects.delete(key)
    assert await media.served(await second)
    assert media.objects() == {key}


async def test_a_tweet_cannot_show_what_is_deleted_meanwhile(
    media: MediaRig, store: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted between the finding and the commit: MEDIA_NOT_FOUND, and the others' posts pass."""
    photo = await media.upload(samples.picture(size=(100, 50)))
    found = MediaStore.get

    async def found_then_gone(self: MediaStore, media_ids: list[int]) -> object:
        rows = await found(self, media_ids)
        await store.give_up(photo.media_id)
        return rows

    monkeypatch.setattr(MediaStore, "get", found_then_gone)
    results = await asyncio.gather(
        media.tweets.create(status="with", media_ids=ids(photo)),
        media.tweets.create(status="without"),
        return_exceptions=True,
    )
    assert isinstance(results[0], Refused)
    assert results[0].reason == "MEDIA_NOT_FOUND"
    assert await media.tweets.sql("SELECT status FROM tweets") == [("without",)]


async def test_the_sweep_passes_by_what_a_tweet_is_about_to_show(
    media: MediaRig, store: MediaStore
) -> None:
    photo = await media.upload(samples.picture(size=(100, 50)))
    await media.tweets.sql(OLDER, 25)
    async with await psycopg.AsyncConnection.connect(media.tweets.dsn) as posting:
        await posting.execute(
            "INSERT INTO media_uses (media_id, tweet_id) VALUES (%s, 1)", (photo.media_id,)
        )
        assert await store.release_old() == 0
    assert await store.release_old() == 0
    assert await media.rows() == 1


async def _waiting(media: MediaRig) -> bool:
    rows = await media.tweets.sql(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    )
    return bool(rows)
