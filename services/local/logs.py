"""Log files of the processes."""

from pathlib import Path

TAIL_BYTES = 4096


def rotate(log_file: Path) -> None:
    """Keep the previous run's log as `.1`, so that a log begins with its own start."""
    if log_file.exists():
        log_file.replace(log_file.with_name(f"{log_file.name}.1"))


def last_lines(log_file: Path, count: int = 3) -> str:
    """Read the newest lines, joined in one."""
    try:
        with log_file.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - TAIL_BYTES))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:])
