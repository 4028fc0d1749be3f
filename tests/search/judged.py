"""A judged set: tweets by what they are about, and queries with what they should find."""

from typing import NamedTuple

ABOUT = {
    "coffee": [
        "Best espresso of the week at the corner roastery",
        "Cold brew coffee tastes better when it steeps overnight",
        "My #coffee grinder broke, sending it back to the shop",
        "A flat white and a croissant, breakfast done",
        "Coffee roasting workshop this Saturday, beans included",
    ],
    "marathon": [
        "Finished the Berlin marathon in under four hours!",
        "Training plan for a first marathon: run slow, run often",
        "Marathon runners, which shoes for wet streets? #running",
        "Knee hurts after the half marathon, resting this week",
    ],
    "python": [
        "Python 3.11 made our service a quarter faster",
        "Type hints in Python: start with the public functions",
        "Debugging asyncio in #python is an acquired taste",
        "The garbage collector pauses were ours, not Python's",
    ],
    "garden": [
        "Tomato seedlings on the windowsill, spring is near",
        "Slugs ate the lettuce in the garden again",
        "Pruning roses in the garden before the frost",
        "Compost heap is steaming this morning #garden",
    ],
    "concert": [
        "The orchestra played Mahler like never before",
        "Concert tickets sold out in two minutes",
        "Front row at the concert, ears still ringing",
        "Choir rehearsal for the winter concert tonight",
    ],
    "election": [
        "Polls close at eight, the election is very close",
        "Turnout in this election is the highest in decades",
        "Queued an hour to vote, democracy smells of rain",
    ],
    "weather": [
        "Thunderstorm over the harbour, lightning everywhere",
        "Snow in April, the weather is confused",
        "Weather warning: strong winds until midnight",
        "Caf\u00e9 terrace closed, too much rain",
    ],
    "cinema": [
        "That documentary about whales made me cry",
        "Popcorn prices at the cinema are a thriller of their own",
        "The sequel is better than the first film #cinema",
    ],
}


class Judged(NamedTuple):
    """A query, the topics whose tweets answer it, and words that an answer must hold."""

    query: str
    topic: str
    words: tuple[str, ...]


QUERIES = [
    Judged("coffee", "coffee", ("coffee",)),
    Judged("espresso", "coffee", ("espresso",)),
    Judged("coffee roasting", "coffee", ("coffee", "roasting")),
    Judged("cofee", "coffee", ("coffee",)),
    Judged("coffe grindr", "coffee", ("coffee", "grinder")),
    Judged("marathon", "marathon", ("marathon",)),
    Judged("marahton", "marathon", ("marathon",)),
    Judged("half maraton", "marathon", ("half", "marathon")),
    Judged("berlin marathon", "marathon", ("berlin", "marathon")),
    Judged("#running", "marathon", ("running",)),
    Judged("python", "python", ("python",)),
    Judged("PYTHON asyncio", "python", ("python", "asyncio")),
    Judged("pyhton", "python", ("python",)),
    Judged("garbage colector", "python", ("garbage", "collector")),
    Judged("garden", "garden", ("garden",)),
    Judged("gardn slugs", "garden", ("garden", "slugs")),
    Judged("tomatto", "garden", ("tomato",)),
    Judged("concert", "concert", ("concert",)),
    Judged("concert tickets", "concert", ("concert", "tickets")),
    Judged("orchstra", "concert", ("orchestra",)),
    Judged('"winter concert"', "concert", ("winter", "concert")),
    Judged("election", "election", ("election",)),
    Judged("elecion turnout", "election", ("election", "turnout")),
    Judged("weather", "weather", ("weather",)),
    Judged("wether warning", "weather", ("weather", "warning")),
    Judged("thunderstrom", "weather", ("thunderstorm",)),
    Judged("cafe", "weather", ("cafe",)),
    Judged("cinema", "cinema", ("cinema",)),
    Judged("documentry whales", "cinema", ("documentary", "whales")),
    Judged("sequel film", "cinema", ("sequel", "film")),
]
