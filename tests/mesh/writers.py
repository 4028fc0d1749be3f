"""A writer beside the service: the service's own insert, in a transaction of the test's own."""

from clients.wire import FIRST, frame
from services.chassis.stores import Connection
from services.tweet.domain import TweetRow
from services.tweet.messages import TweetMessages
from services.tweet.store.posts import NewPost
from services.tweet.store.posts import insert as insert_posts

_messages = TweetMessages("http://localhost")


async def insert(connection: Connection, tweet_id: int, author_id: int, status: str) -> None:
    """Insert a tweet and its event; the caller commits."""
    row = TweetRow(tweet_id, author_id, status, b"", conversation_id=tweet_id)
    tweet = _messages.serialize(row)
    await insert_posts(connection, [NewPost(row, tweet, frame(FIRST, tweet))])
