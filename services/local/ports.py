"""Ports: free ones for the services, and the edge's, which must be ours."""

import errno
import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

from services.local.errors import PortRefusedError, PortTakenError

LOWEST, HIGHEST = 15_000, 32_767
BUS = 10_000
"""How far above its port a server of a Redis Cluster talks to the others."""
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int, address: str) -> list[int]:
    """Free ports, below those that the kernel gives to outgoing connections.

    A service keeps its port over restarts; an ephemeral one could be taken in the meantime by a
    connection of its own peers.
    """
    ports: list[int] = []
    with ExitStack() as held:
        for port in random.sample(_range(), k=min(len(_range()), 2000)):
            if len(ports) == count:
                break
            try:
                held.enter_context(_bound(port, address))
            except OSError:
                continue
            ports.append(port)
    if len(ports) < count:
        raise PortRefusedError(0, "no free port is left")
    return ports


def free_bus_ports(count: int, address: str) -> list[int]:
    """Free ports for servers of a Redis Cluster, which listen 10,000 above them, too."""
    found: list[int] = []
    candidates = range(LOWEST, HIGHEST - BUS + 1)
    with ExitStack() as held:
        for port in random.sample(candidates, k=min(len(candidates), 2000)):
            if len(found) == count:
                return found
            with suppress(OSError), ExitStack() as pair:
                pair.enter_context(_bound(port, address))
                pair.enter_context(_bound(port + BUS, address))
                held.push(pair.pop_all())
                found.append(port)
    raise PortRefusedError(0, "no free port is left")


def edge_port(port: int, address: str) -> int:
    """Return the edge's port if it can be bound, a free one for 0."""
    if port == 0:
        return free_ports(1, address)[0]
    try:
        _bound(port, address).close()
    except OverflowError:
        raise PortRefusedError(port, "ports are 0 to 65535") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(port) from error
        raise PortRefusedError(port, error.strerror or str(error)) from error
    return port


def _range() -> range:
    try:
        first_ephemeral = int(EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first_ephemeral = HIGHEST + 1
    highest = min(HIGHEST, first_ephemeral - 1)
    return range(LOWEST, highest + 1) if highest - LOWEST > 1000 else range(LOWEST, 60_000)


def _bound(port: int, address: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        # Past connections may linger on the port; a listener may not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    return listener
