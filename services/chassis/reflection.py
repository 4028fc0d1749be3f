"""gRPC reflection (v1alpha), as grpcio ships it, in our handler table."""

from collections.abc import AsyncIterator, Iterable

from google.protobuf.descriptor import ServiceDescriptor
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer as GrpcioServicer

from .call import Call

DESCRIPTOR: ServiceDescriptor = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]


class ReflectionServicer:
    """Hands the stream to grpcio's servicer."""

    def __init__(self, service_names: Iterable[str]) -> None:
        self._grpcio = GrpcioServicer([*service_names, DESCRIPTOR.full_name])

    async def server_reflection_info(
        self, requests: AsyncIterator[reflection_pb2.ServerReflectionRequest], _call: Call
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """Answer each question about the contract."""
        async for reply in self._grpcio.ServerReflectionInfo(requests, None):
            yield reply
