"""The fields that all pages of tweets share, read back as every answer that has them."""

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from aviary.graph.v1.user_pb2 import User
from aviary.search.v1 import search_service_pb2
from aviary.timeline.v1 import timeline_service_pb2
from aviary.tweet.v1 import tweet_service_pb2
from aviary.tweet.v1.tweet_pb2 import Tweet
from clients.wire import frame, tag_of
from services.chassis.tweet_page import NOT_ENGAGED, TWEET, USERS_FIELD, Engaged, tweet_page

FIELDS = {"tweets": 1, "users": 2, "viewer": 3, "next_page_token": 4}
ANSWERS = {
    name: GetMessageClass(message)
    for contract in (search_service_pb2, timeline_service_pb2, tweet_service_pb2)
    for name, message in contract.DESCRIPTOR.message_types_by_name.items()
    if {"tweets", "viewer"} <= set(message.fields_by_name)
}
TWEETS = [Tweet(tweet_id=2, status="two" * 100), Tweet(tweet_id=1)]
USERS = [User(user_id=7, user_name="ann")]


def page(engaged: Engaged, token: str) -> bytes:
    tweets = [frame(TWEET, tweet.SerializeToString()) for tweet in TWEETS]
    users = [frame(tag_of(USERS_FIELD), user.SerializeToString()) for user in USERS]
    return tweet_page(tweets, users, engaged, token)


def expected(answer: type[Message], **fields: object) -> Message:
    return answer(tweets=TWEETS, users=USERS, **fields)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_page_is_read_as_every_answer_that_shows_tweets(name: str) -> None:
    answer = ANSWERS[name]
    numbers = {field.name: field.number for field in answer.DESCRIPTOR.fields}
    assert FIELDS.items() <= numbers.items()
    viewer = {"favorited_tweet_ids": [2], "retweeted_tweet_ids": [2, 1]}
    whole = expected(answer, viewer=viewer, next_page_token="t" * 200)
    assert answer.FromString(page(Engaged([2], [2, 1]), "t" * 200)) == whole
    assert answer.FromString(page(NOT_ENGAGED, "")) == expected(answer, viewer={})


def test_there_are_such_answers() -> None:
    assert len(ANSWERS) >= 8


def test_what_was_done_is_told_in_the_order_of_the_page() -> None:
    assert Engaged({1, 2, 9}, [3, 1]).among([3, 2, 1]) == Engaged([2, 1], [3, 1])
