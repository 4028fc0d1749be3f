"""Reports of deletions."""

from aviary.tweet.v1 import tweet_service_pb2 as pb
from aviary.tweet.v1.deletion_pb2 import CleanedStore, Deletion
from services.chassis.call import Call
from services.chassis.errors import InvalidFieldError

from ..errors import TweetNotFoundError
from ..store.deletions import DeletionStore
from .limits import check_count

OWN = ("tweets", "tweet_cache", "retweets", "favorites", "moments", "media")
OTHERS = ("timelines", "search", "trends", "notifications")
MAX_IDS = 1_000


class DeletionMethods:
    """GetDeletion, RecordDeletions."""

    def __init__(self, deletions: DeletionStore) -> None:
        self._deletions = deletions

    async def get_deletion(
        self, request: pb.GetDeletionRequest, _call: Call
    ) -> pb.GetDeletionResponse:
        """The report of one deleted tweet."""
        found = await self._deletions.read(request.tweet_id)
        if found is None:
            raise TweetNotFoundError(tweet_id=request.tweet_id)
        report = Deletion(
            tweet_id=found.tweet_id,
            user_id=found.author_id,
            pending_stores=[store for store in OWN + OTHERS if store not in found.stores],
        )
        report.delete_time.FromDatetime(found.delete_time)
        for store, moment in sorted(found.stores.items(), key=lambda item: item[1]):
            cleaned = CleanedStore(store=store)
            cleaned.clean_time.FromDatetime(moment)
            report.stores.append(cleaned)
        return pb.GetDeletionResponse(deletion=report)

    async def record_deletions(
        self, request: pb.RecordDeletionsRequest, _call: Call
    ) -> pb.RecordDeletionsResponse:
        """Note what another service did."""
        check_count("tweet_ids", len(request.tweet_ids), MAX_IDS)
        if request.store not in OTHERS:
            raise InvalidFieldError(field="store", problem=f"must be one of {', '.join(OTHERS)}")
        await self._deletions.note(request.store, request.tweet_ids)
        return pb.RecordDeletionsResponse()
