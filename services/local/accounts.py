"""The account that PostgreSQL runs under, and what that account may open."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    def can_read(self, path: Path) -> bool:
        """Whether the account may enter all folders above and read (or enter) the path itself."""
        return self.barrier(path) is None and self._allows(path, stat.S_IROTH)

    def barrier(self, path: Path) -> Path | None:
        """Find the first folder above the path that the account may not enter."""
        above = reversed(path.resolve().parents)
        return next((folder for folder in above if not self._allows(folder, stat.S_IXOTH)), None)

    def _allows(self, path: Path, bit: int) -> bool:
        try:
            found = path.stat()
        except OSError:
            return False
        if found.st_uid == self.uid:
            return bool(found.st_mode & bit << 6)
        if found.st_gid == self.gid:
            return bool(found.st_mode & bit << 3)
        return bool(found.st_mode & bit)


def unprivileged(data: Path) -> Account | None:
    """Whom PostgreSQL runs as: None means ourselves; root needs another, since it is refused.

    Data that exist already keep their owner.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat().st_uid) != 0:
        return _account(pwd.getpwuid(owner))
    for name in ("postgres", "nobody"):
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise LookupError("neither postgres nor nobody is an account of this machine")


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
