"""NotifyService whole, from the parts that serve it."""

from aviary.notify.v1 import notify_service_pb2 as pb

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["NotifyService"]


class NotifyServicer:
    """The methods served so far; what the contract has beyond them answers UNIMPLEMENTED."""
