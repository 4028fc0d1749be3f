"""Tweets that show media (S001-04, S003-05, S003-22)."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import ListValue, Value

from aviary.events.v1 import payload_pb2
from aviary.tweet.v1 import media_pb2
from services.tweet.domain import MEDIA

from . import samples
from .harness import ALICE, BOB, Refused
from .media_rig import MediaRig, ids


async def photos(media: MediaRig, count: int) -> list[media_pb2.Media]:
    return [await media.upload(samples.picture(size=(40 + n, 30))) for n in range(count)]


async def test_a_tweet_with_a_photo_and_a_link(media: MediaRig) -> None:
    """S001-04: `entities.urls[]` and `entities.media[]`; the answer is what is stored and told."""
    (photo,) = await photos(media, 1)
    status = "look https://example.org/x"
    made = await media.tweets.create(status=status, media_ids=ids(photo))
    assert [link.url for link in made.entities.urls] == ["https://example.org/x"]
    (entity,) = made.entities.media
    assert (entity.media_id, entity.start, entity.end) == (photo.media_id, len(status), len(status))
    assert list(made.media) == [photo]
    raw = made.SerializeToString()
    assert (await media.tweets.get(made.tweet_id)).SerializeToString() == raw
    assert (await media.tweets.page(user_id=ALICE)).tweets[0].SerializeToString() == raw
    ((payload, flags),) = await media.tweets.sql(
        "SELECT payload, flags FROM events JOIN tweets ON event_id = tweet_id"
    )
    assert payload_pb2.TweetCreated.FromString(payload).tweet.SerializeToString() == raw
    assert flags == MEDIA
    only = await media.tweets.page(user_id=ALICE, only_media=True)
    assert [tweet.tweet_id for tweet in only.tweets] == [made.tweet_id]
    assert media.tweets.registry.get_sample_value("aviary_tweet_media_stored_bytes_total")


async def test_four_photos_keep_their_order(media: MediaRig) -> None:
    first, second, third, fourth = await photos(media, 4)
    order = [third, first, fourth, second]
    made = await media.tweets.create(status="four", media_ids=ids(*order, third))
    assert [each.media_id for each in made.media] == [each.media_id for each in order]
    assert [each.media_id for each in made.entities.media] == [each.media_id for each in order]


@pytest.mark.parametrize("status", ["", "  ", "\u200b"])
async def test_media_stand_in_for_the_text(media: MediaRig, status: str) -> None:
    (photo,) = await photos(media, 1)
    made = await media.tweets.create(status=status, media_ids=ids(photo))
    assert (made.status, len(made.media)) == ("", 1)
    with pytest.raises(Refused) as caught:
        await media.tweets.create(status=status)
    assert caught.value.reason == "STATUS_EMPTY"


@pytest.mark.parametrize("form", ["text", "number", "texts", "numbers"])
async def test_every_form_of_media_ids(media: MediaRig, form: str) -> None:
    """S003-22: numbers and strings, one or a list; S000-50: one bare string.

    A JSON number is exact to 2^53 only, so ids of that size are sent as what they are: strings.
    """
    (photo,) = await photos(media, 1)
    await media.tweets.sql("UPDATE media SET media_id = 4711 WHERE media_id = %s", photo.media_id)
    text, number = Value(string_value="4711"), Value(number_value=4711)
    value = {
        "text": text,
        "number": number,
        "texts": Value(list_value=ListValue(values=[text])),
        "numbers": Value(list_value=ListValue(values=[number])),
    }[form]
    made = await media.tweets.create(status="x", media_ids=value)
    assert [each.media_id for each in made.media] == [4711]


async def test_one_medium_in_several_tweets(media: MediaRig) -> None:
    (photo,) = await photos(media, 1)
    made = [await media.tweets.create(status=f"n {n}", media_ids=ids(photo)) for n in range(2)]
    assert [tweet.media[0].media_id for tweet in made] == [photo.media_id] * 2
    seen = await media.get(photo.media_id, edge=False)
    assert seen == photo


async def test_a_repeated_post_has_the_same_media(media: MediaRig) -> None:
    """Also when the medium was deleted since."""
    (photo,) = await photos(media, 1)
    fields: dict[str, Any] = {"status": "once", "media_ids": ids(photo), "key": "k"}
    first = await media.tweets.create(**fields)
    assert await media.tweets.create(**fields) == first
    await media.tweets.delete(first.tweet_id)
    assert await media.rows() == 0
    assert await media.tweets.create(**fields) == first


class TestRefusals:
    """Each with the right error; no tweet, no use."""

    async def refused(self, media: MediaRig, reason: str, **fields: Any) -> Refused:
        with pytest.raises(Refused) as caught:
            await media.tweets.create(**{"status": "x", **fields})
        assert (caught.value.reason, caught.value.fields) == (reason, ["media_ids"])
        assert await media.tweets.sql("SELECT tweet_id FROM tweets") == []
        assert await media.tweets.sql("SELECT tweet_id FROM media_uses") == []
        return caught.value

    async def test_a_fifth_photo(self, media: MediaRig) -> None:
        five = await photos(media, 5)
        refused = await self.refused(media, "MEDIA_LIMIT", media_ids=ids(*five))
        assert refused.metadata["maximum"] == "4"

    @pytest.mark.parametrize("data", [samples.mp4(), samples.animation()], ids=["video", "gif"])
    async def test_a_film_beside_a_photo(self, media: MediaRig, data: bytes) -> None:
        (photo,) = await photos(media, 1)
        film = await media.upload(data)
        refused = await self.refused(media, "MEDIA_LIMIT", media_ids=ids(photo, film))
        assert refused.metadata["maximum"] == "1"

    async def test_a_foreign_photo(self, media: MediaRig) -> None:
        """S003-22: 400."""
        (photo,) = await photos(media, 1)
        refused = await self.refused(media, "MEDIA_NOT_FOUND", media_ids=ids(photo), user=BOB)
        assert refused.metadata["media_id"] == str(photo.media_id)
        assert await media.rows() == 1

    @pytest.mark.parametrize("text", ["ABC987", "-1", "1.5", "9" * 19, "9" * 40, "٣", "0"])
    async def test_an_unknown_photo(self, media: MediaRig, text: str) -> None:
        await self.refused(media, "MEDIA_NOT_FOUND", media_ids=Value(string_value=text))

    async def test_one_that_is_not_ready(self, media: MediaRig) -> None:
        (photo,) = await photos(media, 1)
        await media.tweets.sql("UPDATE media SET ready_time = NULL")
        await self.refused(media, "MEDIA_NOT_FOUND", media_ids=ids(photo))
