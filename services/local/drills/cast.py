"""The users of a drill: some who post and follow each other, and some who are only followed."""

import secrets
from dataclasses import dataclass

from services.chassis.tokens import TokenSigner
from services.local.drills.edges import Edges
from services.local.drills.target import NothingToDrillError

AUTHORS, TARGETS = 8, 12
PASSWORD = "only for drills"  # noqa: S105 - nobody logs in with it


@dataclass(frozen=True, slots=True)
class Cast:
    """User ids, and a token for each author."""

    run: str
    authors: list[int]
    targets: list[int]
    tokens: dict[int, str]


async def sign_up(edges: Edges, signer: TokenSigner) -> Cast:
    """Make new users, so that what they see is known in full; every author follows every other."""
    run = secrets.token_hex(3)
    users = [await _user(edges, f"drill_{run}_{number}") for number in range(AUTHORS + TARGETS)]
    authors, targets = users[:AUTHORS], users[AUTHORS:]
    tokens = {user: signer.sign(user, plan="unlimited", lifetime=7_200) for user in authors}
    for user in authors:
        for other in authors:
            if other != user:
                path = f"/api/v1/users/{user}/following/{other}"
                await _must(edges, "PUT", path, tokens[user])
    return Cast(run, authors, targets, tokens)


async def _user(edges: Edges, name: str) -> int:
    body = {"user_name": name, "password": PASSWORD}
    answer = await edges.rest("POST", "/api/v1/users", "", body)
    if answer.status != 200:
        raise NothingToDrillError(f"a user cannot be made: {answer.status} {answer.body}")
    return int(answer.body["user"]["user_id"])


async def _must(edges: Edges, verb: str, path: str, token: str) -> None:
    answer = await edges.rest(verb, path, token, {})
    if answer.status != 200:
        raise NothingToDrillError(f"{verb} {path}: {answer.status} {answer.body}")
