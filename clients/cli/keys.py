"""`aviary keys`: the keys that a mesh needs, as files for a Secret."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(help="Where signing.pem, jwks.json and vapid.pem go.")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(keys)


def keys(folder: Folder) -> None:
    """Make the keys that are missing in a folder; a new signing key is added to the JWKS."""
    from services.chassis.config import Settings
    from services.local.keys import ensure_keys

    named = replace(
        Settings(),
        signing_key_file=folder / "signing.pem",
        jwks_file=folder / "jwks.json",
        vapid_key_file=folder / "vapid.pem",
    )
    ensure_keys(named)
    for path in (named.signing_key_path, named.jwks_path, named.vapid_key_path):
        typer.echo(path)
