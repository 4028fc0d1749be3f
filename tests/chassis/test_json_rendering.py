"""Our JSON is the JSON of protobuf's own printer, with the edge's options."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from aviary.graph.v1.dev_key_pb2 import DevKey
from aviary.graph.v1.follow_pb2 import Follow
from aviary.graph.v1.user_pb2 import User
from aviary.tweet.v1.media_pb2 import Media
from aviary.tweet.v1.tweet_pb2 import Tweet
from services.chassis.json_rendering import render

ids = st.integers(-(2**63), 2**63 - 1)
texts = st.text(max_size=20)
points = st.floats(width=64)
tweets: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    tweet_id=ids,
    status=texts,
    sensitive=st.booleans(),
    create_time=st.builds(dict, seconds=st.integers(0, 4_000_000_000), nanos=st.just(5_000_000)),
    entities=st.builds(
        dict,
        hashtags=st.lists(st.builds(dict, start=st.integers(0, 280), tag=texts), max_size=3),
    ),
    location=st.builds(dict, longitude=points, latitude=points),
)


def reference(message: Message) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


@given(tweets, tweets)
def test_tweets(fields: dict[str, Any], original: dict[str, Any]) -> None:
    tweet = Tweet(**fields, retweeted_status=original)
    assert json.loads(render(tweet)) == reference(tweet)


@pytest.mark.parametrize("kind", [Tweet, User, Follow, Media, DevKey])
def test_empty_messages(kind: type[Message]) -> None:
    assert json.loads(render(kind())) == reference(kind())


def test_names_of_enums() -> None:
    follow = Follow(state=2)  # type: ignore[arg-type]
    assert json.loads(render(follow))["state"] == "FOLLOW_STATE_REQUESTED"
