"""TweetService: its parts are the other modules here; what they lack answers UNIMPLEMENTED."""

from aviary.tweet.v1 import tweet_service_pb2 as pb

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TweetService"]
