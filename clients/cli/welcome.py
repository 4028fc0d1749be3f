"""What a user reads when the mesh is up."""

import sys
from pathlib import Path

from clients.cli.demo import BIRDS
from services.chassis.config import Settings
from services.local.state import MeshState

TEXT = """
Aviary is up ({host} host).

  REST, gRPC, page   {edge}
  status             {aviary} status
  logs               {home}/log

Post, and read a home timeline (paste into another terminal):

{sign_up}  TOKEN=$({aviary} token {user})
  curl -s {edge}/api/v1/tweet -H "Authorization: Bearer $TOKEN" --data '{{"status": "hello!"}}'
  curl -s "{edge}/api/v1/home_timeline?user_id=me&page_size=2" -H "Authorization: Bearer $TOKEN"

Ctrl-C or '{aviary} down' stops it.
"""


def welcome(mesh: MeshState, *, demo: bool) -> str:
    """Say where the mesh is and how to use it."""
    aviary = str(Path(sys.executable).with_name("aviary"))
    if Path(mesh.home) != Settings.from_environ({}).home:
        aviary = f"AVIARY_HOME={mesh.home} {aviary}"
    user = BIRDS[0] if demo else "alice"
    sign_up = "" if demo else f"  {aviary} signup {user}\n"
    return TEXT.format(
        host=mesh.host,
        edge=mesh.edge_url,
        home=mesh.home,
        aviary=aviary,
        user=user,
        sign_up=sign_up,
    )
