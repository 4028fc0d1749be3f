"""A stand-in for a service: health over gRPC, or `/healthz` for the edge, and faults on demand.

`standin.py NAME`; the file `<home>/fault-NAME` says what goes wrong: crash, hang or grandchild.
"""

import http.server
import os
import signal
import subprocess
import sys
import threading
from concurrent import futures
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


class Edge(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()


def serve_edge() -> None:
    port = int(os.environ["AVIARY_EDGE_PORT"])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Edge)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def serve_grpc(status: int) -> grpc.Server:
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    servicer = health.HealthServicer()
    servicer.set("", status)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{os.environ['AVIARY_GRPC_PORT']}")
    server.start()
    return server


def main(name: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    home = Path(os.environ["AVIARY_HOME"])
    file = home / f"fault-{name}"
    fault = file.read_text() if file.exists() else ""
    print(f"{name} is {os.getpid()}", flush=True)
    if fault == "crash":
        sys.exit(f"{name} cannot go on")
    if fault == "grandchild":
        child = subprocess.Popen(["/bin/sleep", "600"])
        (home / "grandchild").write_text(str(child.pid))
    if name == "edge":
        serve_edge()
        threading.Event().wait()
    statuses = health_pb2.HealthCheckResponse
    status = statuses.NOT_SERVING if fault == "hang" else statuses.SERVING
    serve_grpc(status).wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1])
