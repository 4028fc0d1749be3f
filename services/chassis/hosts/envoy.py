"""The first host: Envoy with the service inside, as a child of this process.

The parent waits, and on SIGTERM drains: SIGTERM to Envoy itself would cut the calls in flight.
"""

import contextlib
import os
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from string import Template

import structlog
import yaml

from ..config import Settings
from ..policy import templates
from . import mesh
from .control import CONTROL_FD, COUNT, DRAIN, END
from .process import EnvoyProcess, admin_post, wait_for_signal_or_exit

DRAIN_DELAY = 1.0
"""Seconds between NOT_SERVING and the first refused connection, for balancers to notice."""
log = structlog.get_logger()


def can_load() -> bool:
    """Whether this Python and platform can run inside Envoy (it needs a shared libpython)."""
    return _libpython() is not None and _module() is not None


def start(name: str, settings: Settings) -> int:
    """Run the host until SIGTERM or SIGINT, or until Envoy ends; the exit code."""
    instance = settings.instance or f"{name}-{os.getpid()}"
    settings.run_folder.mkdir(parents=True, exist_ok=True)
    admin = settings.admin_socket or settings.run_folder / f"{instance}.admin.sock"
    config = settings.run_folder / f"{instance}.envoy.yaml"
    config.write_text(render(name, instance, admin, settings))
    ours, theirs = socket.socketpair()
    environ = {**os.environ, **_environ(), CONTROL_FD: str(theirs.fileno())}
    with EnvoyProcess.start(config, environ=environ, pass_fds=(theirs.fileno(),)) as envoy:
        theirs.close()
        if wait_for_signal_or_exit(envoy.process):
            _drain(envoy.process, ours, admin, settings.drain_seconds)
        return envoy.close()


def render(name: str, instance: str, admin: Path, settings: Settings) -> str:
    """The replica's Envoy configuration."""
    text = Template((templates() / "replica.yaml").read_text()).substitute(
        name=name,
        instance=instance,
        zone=settings.zone,
        admin_socket=admin,
        address=settings.bind_address,
        port=settings.grpc_port,
        module=_module(),
    )
    if not settings.mesh:
        return text
    return yaml.safe_dump(mesh.joined(yaml.safe_load(text), name, instance, settings))


@contextlib.contextmanager
def beside(name: str, settings: Settings) -> Iterator[None]:
    """With a mesh, the way out for a process that has no Envoy around it."""
    if not settings.mesh:
        yield
        return
    instance = settings.instance or f"{name}-{os.getpid()}"
    settings.run_folder.mkdir(parents=True, exist_ok=True)
    admin = settings.admin_socket or settings.run_folder / f"{instance}.admin.sock"
    pipe = {"address": {"pipe": {"path": str(admin), "mode": 0o600}}}
    node = {"id": instance, "cluster": name, "locality": {"zone": settings.zone}}
    made = mesh.joined({"node": node, "admin": pipe}, name, instance, settings)
    config = settings.run_folder / f"{instance}.envoy.yaml"
    config.write_text(yaml.safe_dump(made))
    with EnvoyProcess.start(config, environ=os.environ):
        yield


def _drain(
    envoy: "subprocess.Popen[bytes]", control: socket.socket, admin: Path, grace: float
) -> None:
    """NOT_SERVING, then no new connections, then wait for the calls in flight, then quit."""
    control.settimeout(2.0)
    try:
        control.sendall(DRAIN)
        time.sleep(min(DRAIN_DELAY, grace))
        admin_post(admin, "/drain_listeners?graceful&skip_exit")
        if not _idle_within(control, grace):
            control.sendall(END)
            _idle_within(control, 1.0)
        admin_post(admin, "/quitquitquit")
    except OSError as error:
        log.warning("drain cut short", why=repr(error))
        envoy.terminate()


def _idle_within(control: socket.socket, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        control.sendall(COUNT)
        count = control.recv(1)
        if count in {b"\0", b""}:
            return True
        time.sleep(0.05)
    return False


def _module() -> str | None:
    """Pyvoy's module, found without importing it."""
    for folder in {sysconfig.get_path("platlib"), sysconfig.get_path("purelib")}:
        for path in Path(folder).glob("pyvoy/_pyvoy*.so"):
            return str(path)
    return None


def _libpython() -> str | None:
    from find_libpython import candidate_paths

    for path in candidate_paths():
        if Path(path).exists() and Path(path).name.startswith("libpython"):
            return str(path)
    return None


def _environ() -> dict[str, str]:
    from pyvoy._server import get_envoy_environ

    return {str(name): str(value) for name, value in get_envoy_environ().items()}
