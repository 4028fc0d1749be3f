"""Becomes another program that dies with its parent: `launch.py PARENT SIGNAL UID:GID PROGRAM...`.

Run as a script (`python -I -S launch.py`). A `preexec_fn` could do the same, but it forks a process
that has gRPC's threads, and a changed user forgets the death signal, so the order here matters.
"""

import ctypes  # here and not where it is used: the other account may not read Python's library
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int, signal_number: int) -> None:
    """Ask the kernel for a signal when the parent ends; Linux only, elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before its child started")


def become(account: str) -> None:
    """Drop root for the account `uid:gid`; `-` keeps the caller's."""
    if account == "-":
        return
    uid, gid = (int(part) for part in account.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: list[str]) -> None:
    """Change the user, tie this process to its parent, and execute the program."""
    parent, signal_number, account, program, *rest = arguments
    become(account)
    die_with_parent(int(parent), int(signal_number))
    try:
        os.execv(program, [program, *rest])  # noqa: S606
    except OSError as error:
        sys.exit(f"{program}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
