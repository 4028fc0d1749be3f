"""Frames and numbers are what protobuf reads and writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aviary.events.v1.event_pb2 import Event
from aviary.tweet.v1.tweet_service_pb2 import BatchGetTweetsResponse
from clients.wire import FIRST, frame, tag_of, varint


@given(st.lists(st.text(max_size=50)))
def test_frames_joined_are_a_repeated_field(texts: list[str]) -> None:
    expected = BatchGetTweetsResponse(tweets=[{"status": text} for text in texts])
    joined = b"".join(frame(FIRST, tweet.SerializeToString()) for tweet in expected.tweets)
    assert BatchGetTweetsResponse.FromString(joined) == expected


@pytest.mark.parametrize("size", [0, 127, 128, 16_383, 16_384, 3_000_000])
def test_lengths_of_all_sizes(size: int) -> None:
    event = Event.FromString(frame(tag_of(5), b"x" * size))
    assert len(event.payload) == size


@given(st.integers(1, 2**63 - 1))
def test_numbers(number: int) -> None:
    raw = Event(event_id=number).SerializeToString() + b"rest"
    assert varint(raw, 1) == (number, len(raw) - 4)
