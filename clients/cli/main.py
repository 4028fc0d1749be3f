"""The command `aviary`: its groups of commands, and the one place where errors become a line."""

import sys
from typing import Annotated

import typer

from clients.cli import demo, drill, graph_import, keys, mesh, plan, search, token, upload, user

app = typer.Typer(
    help="Aviary: a Twitter-shaped mesh of gRPC services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Aviary: a Twitter-shaped mesh of gRPC services."""


for group in (mesh, user, upload, search, token, keys, graph_import, demo, plan, drill):
    group.register(app)


def main() -> None:
    """Run the command line; what a user can act on is one red line and exit code 1."""
    try:
        app()
    except _known_errors() as error:
        if "--debug" in sys.argv:
            raise
        _red_line(str(error) or type(error).__name__)
        sys.exit(1)


def _known_errors() -> tuple[type[Exception], ...]:
    """Name the errors that are told in one line; imported only once something went wrong."""
    from clients.cli.errors import CommandError
    from clients.errors import PeerError
    from services.chassis.config import UnknownSettingError
    from services.local.errors import LocalError

    return (LocalError, UnknownSettingError, CommandError, PeerError)


def _red_line(text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    line = " ".join(text.split())
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text(f"error: {line}", style="red"))


if __name__ == "__main__":
    main()
