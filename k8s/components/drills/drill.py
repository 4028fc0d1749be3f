"""One drill in a cluster: a random pod is deleted while the edge is asked; exit code 1 if it shows.

Prints what it did, the errors and the longest silence, and PASS or FAIL. The drills with a ledger
of acknowledged writes are `aviary drill`, on one machine.
"""

import json
import os
import random
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SELECTOR = "app.kubernetes.io/part-of=aviary"


def ask_api(path: str, method: str = "GET") -> dict[str, object]:
    """Ask the API server as this pod's account."""
    url = os.environ.get("API_URL", "https://kubernetes.default.svc") + path
    request = urllib.request.Request(url, method=method)
    context = None
    if url.startswith("https"):
        request.add_header("authorization", f"Bearer {(ACCOUNT / 'token').read_text()}")
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=10, context=context) as reply:
        found: dict[str, object] = json.load(reply)
    return found


def answered(url: str) -> bool:
    """Whether the edge answers as it should."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def main() -> int:
    """Delete a pod, ask on, and judge; the exit code."""
    pods = f"/api/v1/namespaces/{os.environ['NAMESPACE']}/pods"
    url, seconds = os.environ["EDGE_URL"], float(os.environ["SECONDS_OF_LOAD"])
    running = ask_api(f"{pods}?labelSelector={SELECTOR}&fieldSelector=status.phase%3DRunning")
    names = sorted(pod["metadata"]["name"] for pod in running["items"])
    victim = random.choice(names)
    if not answered(url):
        print("FAIL: the edge did not answer before anything was done")
        return 1
    ask_api(f"{pods}/{victim}", "DELETE")
    print(f"deleted {victim}, one of {len(names)}")
    asked = errors = 0
    silent, longest, began = None, 0.0, time.monotonic()
    while (now := time.monotonic()) - began < seconds:
        asked += 1
        if answered(url):
            silent = None
        else:
            errors += 1
            silent = silent or now
            longest = max(longest, time.monotonic() - silent)
        time.sleep(0.05)
    later = ask_api(f"{pods}?labelSelector={SELECTOR}")
    gone = victim not in {
        pod["metadata"]["name"]
        for pod in later["items"]
        if "deletionTimestamp" not in pod["metadata"]
    }
    good = gone and errors <= asked / 1000
    print(f"asked {asked}, errors {errors}, longest silence {longest:.2f} s, pod gone: {gone}")
    print("PASS" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
