"""`aviary token`: tokens for whoever holds the signing key."""

import asyncio
from typing import Annotated

import typer

from services.chassis.config import Settings

Names = Annotated[list[str], typer.Argument(help="User names.")]
Plan = Annotated[str, typer.Option(help="Quota plan; see envoy/plans.yaml.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="Scope, such as operator.")]
Seconds = Annotated[int, typer.Option("--lifetime", min=1, help="Seconds until it ends.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(token)


def token(
    names: Names, plan: Plan = "free", scopes: Scopes = None, lifetime: Seconds = 86_400
) -> None:
    """Print a token a line, for demos, tests and benches; needs the mesh's private key."""
    from clients.cli.errors import NoSigningKeyError
    from clients.cli.place import service_address
    from services.chassis.tokens import TokenSigner

    settings = Settings.from_environ()
    if not settings.signing_key_path.exists():
        raise NoSigningKeyError(settings.signing_key_path)
    signer = TokenSigner(settings.signing_key_path)
    for user_id in asyncio.run(_user_ids(service_address(settings, "graph"), names)):
        typer.echo(signer.sign(user_id, plan=plan, scopes=scopes or (), lifetime=lifetime))


async def _user_ids(address: str, names: list[str]) -> list[int]:
    from clients.graph import GraphClient

    slots = asyncio.Semaphore(32)

    async def one(name: str) -> int:
        async with slots:
            return (await graph.lookup(name)).user_id

    async with GraphClient(address) as graph:
        return list(await asyncio.gather(*(one(name) for name in names)))
