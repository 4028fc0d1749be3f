"""The contract of the echo service: one message, one method of each kind."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "aviary.testing.v1"
KINDS = {"Unary": (0, 0), "ServerStream": (0, 1), "ClientStream": (1, 0), "BidiStream": (1, 1)}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="echo.proto", package=PACKAGE, syntax="proto3")
    message = file.message_type.add(name="Echo")
    field = descriptor_pb2.FieldDescriptorProto
    for number, (name, kind) in enumerate(
        {"text": field.TYPE_STRING, "data": field.TYPE_BYTES, "count": field.TYPE_INT32}.items(), 1
    ):
        message.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    service = file.service.add(name="EchoService")
    for name, (requests, replies) in [*KINDS.items(), ("Missing", (0, 0))]:
        service.method.add(
            name=name,
            input_type=f".{PACKAGE}.Echo",
            output_type=f".{PACKAGE}.Echo",
            client_streaming=bool(requests),
            server_streaming=bool(replies),
        )
    return file


_pool = descriptor_pool.Default()
_pool.Add(_file())
DESCRIPTOR = _pool.FindServiceByName(f"{PACKAGE}.EchoService")
Echo: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.Echo"))
