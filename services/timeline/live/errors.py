"""How streams end; `reason` is of the catalogue, the sentence is what a reader needs."""

from grpc import StatusCode

from services.chassis.errors import ServiceError


class DrainingError(ServiceError):
    """The replica is about to go: another one goes on from the last cursor."""

    code = StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"
    template = "{resource} is draining, reconnect"
    retry_after = 0.5


class StreamExpiredError(ServiceError):
    """The stream is as old as a token may be: whoever goes on must show a valid one."""

    code = StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"
    template = "{resource} has reached its age of {seconds} s, reconnect"
    retry_after = 0.5
