"""The loads that three documents describe, and where they contradict themselves or each other."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """One document's load, as averages. A working is the document's own numbers."""

    name: str
    document: str
    active_users: str
    tweets: str
    """Tweets a second, worked out."""
    deliveries: str
    """Deliveries a tweet."""
    reads: str
    """Timeline requests a second."""
    searches: str
    media_bytes: str
    """Media of an average tweet."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What a document says, what it also says, and what the plan takes."""

    where: str
    says: str
    but: str
    taken: str


PROFILES = {
    "seed000": Profile(
        name="seed000",
        document="000: 500M tweets a day, 250B reads and 10B searches a month",
        active_users="100,000,000",
        tweets="500,000,000 / 86,400",
        deliveries="5,000,000,000 / 500,000,000",
        reads="250,000,000,000 / (30 x 86,400)",
        searches="10,000,000,000 / (30 x 86,400)",
        media_bytes="10,000",
        notes=("media of a tweet: not in document 000, taken from 001",),
    ),
    "seed001": Profile(
        name="seed001",
        document="001: 6,000 tweets, 600,000 timelines, 60,000 deliveries, 4,000 searches a second",
        active_users="300,000,000",
        tweets="6,000",
        deliveries="60,000 / 6,000",
        reads="600,000",
        searches="4,000",
        media_bytes="10,000",
    ),
    "seed003": Profile(
        name="seed003",
        document="003: 100M tweets and 28B reads a day",
        active_users="100,000,000",
        tweets="100,000,000 / 86,400",
        deliveries="10",
        reads="28,000,000,000 / 86,400",
        searches="4,000",
        media_bytes="10,000",
        notes=(
            "active users and deliveries a tweet: not in document 003, taken from 000",
            "searches and media of a tweet: not in document 003, taken from 001",
        ),
    ),
}

CONTRADICTIONS = (
    Contradiction(
        "001, storage",
        "6,000 tweets a second on average, which is 518 million a day",
        "its storage is worked out for about 50 million a day",
        "6,000 a second",
    ),
    Contradiction(
        "001, storage",
        "10 KB x 50 million a day = 5 TB",
        "10,000 x 50,000,000 is 0.5 TB; 5 TB is right for 500 million",
        "10 KB x the tweets a second",
    ),
    Contradiction(
        "001, storage",
        "10 years x 365 days x 5 TB = 18.5 PB",
        "10 x 365 x 5 TB is 18.25 PB",
        "18.25 PB",
    ),
    Contradiction(
        "001, followers",
        "200 followers a user on average",
        "60,000 deliveries of 6,000 tweets a second are 10 a tweet; 200 would be 1.2 million",
        "10 a tweet: only lists of active readers are written",
    ),
    Contradiction(
        "001, reads",
        "6,00,000 timelines a second",
        "000 has 250 billion a month, 96,451 a second, a sixth of it, for a third of the users",
        "each profile its own",
    ),
    Contradiction(
        "001, ids",
        "user_id of 32 bytes",
        "000 stores 8 bytes in a timeline's entry of 17",
        "8 bytes: snowflakes",
    ),
    Contradiction(
        "003, reads",
        "28 billion tweets are read a day",
        "that is called 325K read requests a second; pages of 20 would be 16,204 requests",
        "requests, the larger of the two",
    ),
    Contradiction(
        "003, peak",
        "a few thousand writes and 1M reads a second at the peak",
        "that is 3.1 times the average of 325K reads, and some other factor of 1,157 writes",
        "one factor of 3.1 for all, as 000 only says that traffic is uneven",
    ),
    Contradiction(
        "000 and 003, reads to writes",
        "000: 96,451 reads to 5,787 writes, 17 to 1",
        "003: 280 to 1; 001: 100 to 1",
        "each profile its own; reads and writes scale apart",
    ),
    Contradiction(
        "003, text",
        "a tweet has up to 140 characters",
        "today's 280 is what the contract promises",
        "280",
    ),
)
