"""`python -m services NAME`: run one process of the mesh."""

import sys

from services.catalog import COMPOSITIONS, WORKERS, composition_of
from services.chassis.config import Settings, UnknownSettingError


def host_of(name: str, settings: Settings) -> str:
    """Which host serves this process."""
    from services.chassis.hosts import envoy

    if name in WORKERS:
        return "grpcio"
    if settings.host != "auto":
        return settings.host
    return "envoy" if envoy.can_load() else "grpcio"


def main(arguments: list[str]) -> int:
    """Run the process; the exit code."""
    known = {*COMPOSITIONS, "edge"}
    if len(arguments) != 1 or not (arguments[0] in known or "." in arguments[0]):
        print(f"usage: python -m services {{{'|'.join([*COMPOSITIONS, 'edge'])}}}", file=sys.stderr)
        return 2
    name = arguments[0]
    try:
        settings = Settings.from_environ()
    except UnknownSettingError as error:
        print(f"aviary: {error}", file=sys.stderr)
        return 2
    if name == "edge":
        from services.edge import main as edge

        return edge.start(settings)
    if host_of(name, settings) == "envoy":
        from services.chassis.hosts import envoy

        return envoy.start(name, settings)
    from services.chassis.hosts import envoy, grpcio

    if settings.mesh and name not in WORKERS:
        print(f"aviary: a mesh needs the envoy host, and {name} has none here", file=sys.stderr)
        return 2
    with envoy.beside(name, settings):
        return grpcio.start(name, composition_of(name), settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
