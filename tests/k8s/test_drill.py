"""The cluster's drill, run against stand-ins for the API server and the edge."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .conftest import K8S

DRILL = K8S / "components" / "drills" / "drill.py"


class Cluster:
    """Three pods; deleting one makes the edge fail for some requests, or nothing happen."""

    def __init__(self, failing: int, deletes: bool) -> None:
        self.names = ["a", "b", "c"]
        self.failing = failing
        self.deletes = deletes
        self.deleted = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if "/pods" in self.path:
                    items = [{"metadata": {"name": name}} for name in cluster.names]
                    self.answer(200, {"items": items})
                elif cluster.deleted and cluster.failing:
                    cluster.failing -= 1
                    self.answer(503, {})
                else:
                    self.answer(200, {})

            def do_DELETE(self) -> None:
                cluster.deleted = self.path.rpartition("/")[2]
                if cluster.deletes:
                    cluster.names = [n for n in cluster.names if n != cluster.deleted] + ["new"]
                self.answer(200, {})

            def answer(self, status: int, body: object) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_arguments: object) -> None:
                return

        return Handler


@contextmanager
def running(cluster: Cluster) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), cluster.handler()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("failing", "deletes", "verdict"), [(0, True, "PASS"), (3, True, "FAIL"), (0, False, "FAIL")]
)
def test_the_verdict(failing: int, deletes: bool, verdict: str) -> None:
    cluster = Cluster(failing, deletes)
    with running(cluster) as url:
        told = {"API_URL": url, "EDGE_URL": f"{url}/x", "NAMESPACE": "n", "SECONDS_OF_LOAD": "1"}
        done = subprocess.run(
            [sys.executable, DRILL], env={**os.environ, **told},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.stdout.splitlines()[-1] == verdict, done.stderr
    assert done.returncode == (0 if verdict == "PASS" else 1)
    assert cluster.deleted in {"a", "b", "c"}
    assert f"errors {failing}," in done.stdout
