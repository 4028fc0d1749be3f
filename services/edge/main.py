"""`python -m services edge`: renders the configuration, runs Envoy, drains it on SIGTERM."""

import os
import subprocess
import time
from pathlib import Path

import structlog

from services.chassis.config import Settings
from services.chassis.hosts.process import EnvoyProcess, admin_post, wait_for_signal_or_exit
from services.chassis.telemetry import configure_logging

from . import render

DRAIN_DELAY = 1.0
"""Seconds between an unhealthy `/healthz` and the first refused connection, for balancers."""
DRAIN_ARGUMENTS = ("--drain-strategy", "immediate", "--drain-time-s", "1")
ACTIVE = "http.edge.downstream_rq_active"
log = structlog.get_logger()


def start(settings: Settings) -> int:
    """Run the edge until SIGTERM or SIGINT, or until Envoy ends; the exit code."""
    instance = settings.instance or f"edge-{os.getpid()}"
    configure_logging(settings.log_level, service="edge", instance=instance)
    admin = settings.admin_socket or settings.run_folder / f"{instance}.admin.sock"
    config = render.write(settings, instance=instance, admin=admin)
    with EnvoyProcess.start(
        config,
        environ=os.environ,
        concurrency=settings.edge_concurrency,
        arguments=DRAIN_ARGUMENTS,
    ) as envoy:
        if wait_for_signal_or_exit(envoy.process):
            _drain(envoy.process, admin, settings.drain_seconds)
        return envoy.close()


def _drain(envoy: "subprocess.Popen[bytes]", admin: Path, grace: float) -> None:
    """Unhealthy, then no new connections, then wait for the calls in flight, then quit."""
    try:
        admin_post(admin, "/healthcheck/fail")
        time.sleep(min(DRAIN_DELAY, grace))
        admin_post(admin, "/drain_listeners?graceful&skip_exit")
        until = time.monotonic() + grace
        while time.monotonic() < until and _active(admin):
            time.sleep(0.05)
        admin_post(admin, "/quitquitquit")
    except OSError as error:
        log.warning("drain cut short", why=repr(error))
        envoy.terminate()


def _active(admin: Path) -> int:
    """How many requests are being answered."""
    answer = admin_post(admin, f"/stats?filter=^{ACTIVE}$")
    return int(answer.rpartition(":")[2] or 0)
