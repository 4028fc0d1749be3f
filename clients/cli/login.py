"""Who is logged in: a file that only its owner reads, refreshed when its token ends."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from aviary.graph.v1 import graph_service_pb2 as pb
from clients.cli.errors import NotLoggedInError
from clients.graph import GraphClient

EARLY_SECONDS = 30.0
"""A token that ends so soon is refreshed before it is used."""


@dataclass(frozen=True, slots=True)
class Login:
    """A session with one edge."""

    edge: str
    user_name: str
    user_id: int
    access_token: str
    refresh_token: str
    expires: float
    """Unix time at which the access token ends."""


def login_file() -> Path:
    """Where the session is kept."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "aviary" / "session.json"


def save(edge: str, session: pb.CreateSessionResponse | pb.RefreshSessionResponse) -> Login:
    """Keep a session."""
    login = Login(
        edge=edge,
        user_name=session.user.user_name,
        user_id=session.user.user_id,
        access_token=session.access_token,
        refresh_token=session.refresh_token,
        expires=time.time() + session.expires_in,
    )
    path = login_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(login), file)
    new.replace(path)
    return login


async def current(edge: str) -> Login:
    """The kept session of this edge, its token good for a while."""
    try:
        login = Login(**json.loads(login_file().read_text()))
    except (OSError, ValueError, TypeError):
        raise NotLoggedInError from None
    if login.edge != edge:
        raise NotLoggedInError
    if login.expires - EARLY_SECONDS > time.time():
        return login
    async with GraphClient(edge) as graph:
        return save(edge, await graph.refresh_session(login.refresh_token))
