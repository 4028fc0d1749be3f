"""The description of the REST API (OpenAPI 3.1), made from the contract."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

from services.chassis.policy import Access

from .contract import Binding, Method
from .schemas import Contract, Schema, reference

HTTP_BODY = ".google.api.HttpBody"
STATUS = ".google.rpc.Status"
SECURITY: Mapping[Access, list[dict[str, list[str]]]] = {
    Access.PUBLIC: [{}, {"token": []}],
    Access.BODY_TOKEN: [{}, {"token": []}],
    Access.USER: [{"token": []}],
    Access.OPERATOR: [{"token": []}],
}
ABOUT = """The gRPC services of `protos/aviary`, transcoded. 64-bit numbers are strings.

Mutations may be repeated under one `Idempotency-Key`. Lists are read page by page: the
`next_page_token` of one answer is the `page_token` of the next call. Errors have one shape,
`google.rpc.Status`, whose `ErrorInfo.reason` says what is wrong."""


def describe(descriptors: FileDescriptorSet, methods: Iterable[Method], url: str) -> dict[str, Any]:
    """The document."""
    contract = Contract(descriptors)
    paths: dict[str, dict[str, Any]] = {}
    for method in methods:
        for number, binding in enumerate(method.bindings):
            operation = _operation(contract, method, binding, number)
            paths.setdefault(binding.path, {})[binding.verb.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Aviary", "version": "1", "description": ABOUT},
        "servers": [{"url": url}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _schemas(contract, paths),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _operation(contract: Contract, method: Method, binding: Binding, number: int) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": method.descriptor.name + (str(number + 1) if number else ""),
        "tags": [method.service.rpartition(".")[2].removesuffix("Service")],
        "summary": contract.summary(method.name),
        "description": contract.comment(method.name).strip(),
        "security": SECURITY[method.rule.access],
        "parameters": _parameters(contract, method, binding),
        "responses": {
            "200": {"description": "OK", "content": _answer(contract, method)},
            "default": {"description": "An error", "content": _json(reference(STATUS))},
        },
        "x-aviary-quota": method.rule.quota,
    }
    if binding.body:
        operation["requestBody"] = {"required": True, "content": _body(contract, method, binding)}
    return operation


def _parameters(contract: Contract, method: Method, binding: Binding) -> list[dict[str, Any]]:
    """What is in the path, and in the query whatever the body does not take."""
    owner = method.descriptor.input_type
    in_path = _path_fields(binding)
    fields = contract.messages[owner].field
    in_query = {
        field.name
        for field in fields
        if binding.body not in {"*", field.name}
        and field.type != FieldDescriptorProto.TYPE_MESSAGE
        and field.name not in in_path
    }
    return [
        {
            "name": field.name,
            "in": "query" if field.name in in_query else "path",
            "required": field.name in in_path,
            "schema": contract.field(owner, field),
        }
        for field in fields
        if field.name in in_query or field.name in in_path
    ]


def _path_fields(binding: Binding) -> tuple[str, ...]:
    return tuple(re.findall(r"{(\w+)}", binding.path))


def _body(contract: Contract, method: Method, binding: Binding) -> dict[str, Any]:
    owner = method.descriptor.input_type
    if binding.body == "*":
        return _json(contract.message(owner, without=_path_fields(binding)))
    field = next(each for each in contract.messages[owner].field if each.name == binding.body)
    content = _json(contract.field(owner, field))
    return {"*/*": content["application/json"]} if field.type_name == HTTP_BODY else content


def _answer(contract: Contract, method: Method) -> dict[str, Any]:
    """A message as JSON; a stream of `HttpBody` is the body itself."""
    fields = contract.messages[method.descriptor.output_type].field
    raw = next((field.name for field in fields if field.type_name == HTTP_BODY), "")
    if not raw:
        return _json(reference(method.descriptor.output_type))
    kind = "text/event-stream" if raw == "event_stream" else "*/*"
    return {kind: {"schema": {"type": "string"}}}


def _schemas(contract: Contract, used: object) -> dict[str, Schema]:
    schemas: dict[str, Schema] = {}
    waiting = set(contract.used_by(used))
    while waiting:
        name = waiting.pop()
        schemas[name.lstrip(".")] = contract.message(name)
        waiting |= {n for n in contract.used_by(schemas[name.lstrip(".")]) if n[1:] not in schemas}
    return dict(sorted(schemas.items()))


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
