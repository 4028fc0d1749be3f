"""What can go wrong when the mesh starts on one machine; each says it in one line."""

from pathlib import Path


class LocalError(Exception):
    """Base of the errors that a user can act on: shown without a traceback."""


class PortTakenError(LocalError):
    """The edge's port is held by a process that is not ours."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken by another process; choose one with --port")
        self.port = port


class PortRefusedError(LocalError):
    """The system refuses the edge's port to this user."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(f"port {port} cannot be used ({reason}); choose one with --port")
        self.port = port


class HomeUnusableError(LocalError):
    """The home folder, or one inside or above it, does not allow what is needed."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"folder {folder} cannot be used: {reason}; choose one with --home")
        self.folder = folder


class DataFolderError(LocalError):
    """The folder of PostgreSQL's data is not one that the embedded server can open."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"PostgreSQL's data folder {folder} cannot be used: {reason}")
        self.folder = folder


class ServerMissingError(LocalError):
    """A wheel does not contain the server for this platform."""

    def __init__(self, server: str, wheel: str) -> None:
        super().__init__(f"no {server} for this platform in the package {wheel}; install it again")
        self.server = server


class UnknownRedisError(LocalError):
    """The setting names a kind of Redis that is not there."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"no such Redis: {kind}; --redis takes single, sentinel or cluster")
        self.kind = kind


class UnknownDatabasesError(LocalError):
    """The setting names a layout of databases that is not there, or not with several zones."""

    def __init__(self, layout: str, zones: int) -> None:
        known = "single or separate" if zones == 1 else "single, as each zone has a copy"
        super().__init__(f"no such databases: {layout}; --databases takes {known}")
        self.layout = layout


class DatabasesElsewhereError(LocalError):
    """The home has its databases in the other layout: they would seem to be empty."""

    def __init__(self, folder: Path, layout: str) -> None:
        super().__init__(
            f"{folder} holds databases; start with --databases {layout}, or with another --home"
        )
        self.folder = folder


class ClusterFailedError(LocalError):
    """The servers of Redis did not become a cluster."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Redis did not become a cluster: {reason}")


class StoreUnreachableError(LocalError):
    """A store outside of the mesh, named by a setting, does not answer."""

    def __init__(self, variable: str, address: str, reason: str) -> None:
        super().__init__(f"{variable} ({address}) does not answer: {reason}")
        self.variable = variable


class AlreadyRunningError(LocalError):
    """Another supervisor holds this home."""

    def __init__(self, home: Path, pid: int) -> None:
        super().__init__(f"a mesh already runs in {home} (process {pid}); stop it: aviary down")
        self.pid = pid


class StartFailedError(LocalError):
    """A process ended, or did not become healthy, while the mesh was starting."""

    def __init__(self, name: str, reason: str, log_file: Path) -> None:
        super().__init__(f"{name} {reason} (log: {log_file})")
        self.name = name
        self.log_file = log_file


class NotOursError(LocalError):
    """The supervisor belongs to another user, who alone may stop it."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} belongs to another user; only that user may stop it")
        self.pid = pid


class NotStoppedError(LocalError):
    """The supervisor did not end in the time that stopping may take."""

    def __init__(self, pid: int, seconds: float) -> None:
        super().__init__(f"process {pid} still runs {seconds:.0f} s after it was told to stop")
        self.pid = pid
