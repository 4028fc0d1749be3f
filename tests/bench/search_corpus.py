"""A corpus of tweets with a Zipf vocabulary, the same for every run, and queries for it."""

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, count

from aviary.search.v1 import search_service_pb2 as pb
from aviary.tweet.v1 import tweet_service_pb2 as tweet_pb

WORDS = 50_000
LENGTH = 12
COMMON = 20
BATCH = 1_000
SEED = 20_260
_CONSONANTS, _VOWELS = "bcdfghklmnprstvz", "aeiou"


class Corpus:
    """Texts of twelve words, drawn by Zipf(1.0) out of 50,000; one in four has a hashtag."""

    def __init__(self, count: int) -> None:
        self.count = count
        rng = random.Random(SEED)
        words: dict[str, None] = {}
        while len(words) < WORDS:
            syllables = rng.randrange(1, 5)
            words["".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(syllables))
                  + rng.choice("nrst")] = None  # fmt: skip
        self.words = sorted(words, key=lambda word: (len(word), word))
        self._weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def texts(self, *, endless: bool = False) -> Iterator[str]:
        """The texts; endless, it goes on in the same way behind them."""
        rng = random.Random(SEED + 1)
        for number in count() if endless else range(self.count):
            words = rng.choices(self.words, cum_weights=self._weights, k=LENGTH)
            if number % 4 == 0:
                words[0] = f"#{words[0]}"
            yield " ".join(words)

    def batches(self, authors: Sequence[int]) -> Iterator[tweet_pb.IngestTweetsRequest]:
        """The corpus as imports, by some authors in turn."""
        request = tweet_pb.IngestTweetsRequest()
        for number, text in enumerate(self.texts()):
            request.tweets.add(user_id=authors[number % len(authors)], status=text)
            if len(request.tweets) == BATCH:
                yield request
                request = tweet_pb.IngestTweetsRequest()
        if request.tweets:
            yield request

    def zipf_queries(self, number: int) -> list[bytes]:
        """Requests whose queries are drawn by Zipf out of a thousand: what people look for."""
        asked = self._queries(1_000)
        weights = list(accumulate(1 / rank for rank in range(1, len(asked) + 1)))
        drawn = random.Random(SEED + 2).choices(asked, cum_weights=weights, k=number)
        return [_request(query) for query in drawn]

    def distinct_queries(self, number: int) -> list[bytes]:
        """Requests of which no two are alike."""
        return [_request(query) for query in self._queries(number)]

    def _queries(self, number: int) -> list[str]:
        """One to three words of a tweet each, so that all find something.

        Not of the twenty words that are in nearly every tweet: nobody looks for those.
        """
        rng = random.Random(SEED + 3)
        usual = set(self.words[:COMMON])
        found: dict[str, None] = {}
        for text in self.texts(endless=True):
            words = [word for word in text.split() if word not in usual and word[0] != "#"]
            picked = rng.sample(words, min(len(words), rng.choices((1, 2, 3), (2, 2, 1))[0]))
            if picked:
                found[" ".join(picked)] = None
            if len(found) == number:
                break
        return list(found)


def _request(query: str) -> bytes:
    return pb.SearchRequest(query=query, page_size=20, exact=True).SerializeToString()
