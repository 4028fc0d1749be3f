"""JSON Schemas of the contract's messages, with their comments."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

Schema = dict[str, Any]
Part: TypeAlias = FieldDescriptorProto | EnumValueDescriptorProto | MethodDescriptorProto
MESSAGES, ENUMS, SERVICES, PARTS = 4, 5, 6, 2
"""Numbers of these lists in descriptor.proto: comments are found by paths of them."""
TYPES = FieldDescriptorProto.Type
WELL_KNOWN: Mapping[str, Schema] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string"},
    ".google.protobuf.FieldMask": {"type": "string"},
    ".google.protobuf.Value": {},
    ".google.protobuf.Struct": {"type": "object"},
    ".google.protobuf.Any": {"type": "object"},
    ".google.api.HttpBody": {"type": "string", "contentEncoding": "binary"},
}
INTEGER: Schema = {"type": "integer", "format": "int32"}
# JSON numbers are exact to 2^53 only, so 64 bits travel as strings.
LONG: Schema = {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}
NUMBER: Schema = {"type": "number"}
SCALARS: Mapping[int, Schema] = {
    TYPES.TYPE_STRING: {"type": "string"},
    TYPES.TYPE_BOOL: {"type": "boolean"},
    TYPES.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    TYPES.TYPE_DOUBLE: NUMBER,
    TYPES.TYPE_FLOAT: NUMBER,
    **dict.fromkeys((TYPES.TYPE_INT32, TYPES.TYPE_UINT32, TYPES.TYPE_FIXED32), INTEGER),
    **dict.fromkeys((TYPES.TYPE_INT64, TYPES.TYPE_UINT64, TYPES.TYPE_FIXED64), LONG),
}


class Contract:
    """The messages and enums of a descriptor set by name, and every comment in it."""

    def __init__(self, descriptors: FileDescriptorSet) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self._enums: dict[str, EnumDescriptorProto] = {}
        self._comments: dict[str, str] = {}
        for file in descriptors.file:
            texts = _comments(file)
            for number, message in enumerate(file.message_type):
                name = f".{file.package}.{message.name}"
                self.messages[name] = message
                self._note(texts, name, (MESSAGES, number), message.field)
            for number, enum in enumerate(file.enum_type):
                name = f".{file.package}.{enum.name}"
                self._enums[name] = enum
                self._note(texts, name, (ENUMS, number), enum.value)
            for number, service in enumerate(file.service):
                name = f".{file.package}.{service.name}"
                self._note(texts, name, (SERVICES, number), service.method)

    def comment(self, name: str) -> str:
        """What the contract says about a message, a field (`.message.field`), a service, an RPC."""
        return self._comments.get(name, "")

    def summary(self, name: str) -> str:
        """The first sentence of what the contract says."""
        text = " ".join(self.comment(name).split())
        return re.split(r"(?<=\.) ", text, maxsplit=1)[0]

    def enum_values(self, name: str) -> list[str]:
        """The names of an enum's values."""
        return [value.name for value in self._enums[name].value]

    def message(self, name: str, without: tuple[str, ...] = ()) -> Schema:
        """The schema of a message."""
        fields = [field for field in self.messages[name].field if field.name not in without]
        schema: Schema = {
            "type": "object",
            "properties": {field.name: self.field(name, field) for field in fields},
        }
        return _described(schema, self.comment(name))

    def field(self, owner: str, field: FieldDescriptorProto) -> Schema:
        """The schema of one field of a message."""
        item = self._item(field)
        repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
        schema = {"type": "array", "items": item} if repeated else item
        return _described(schema, self.comment(f"{owner}.{field.name}"))

    def used_by(self, schema: object) -> Iterator[str]:
        """The messages that a schema refers to."""
        if isinstance(schema, dict):
            if "$ref" in schema:
                yield "." + schema["$ref"].rpartition("/")[2]
            for part in schema.values():
                yield from self.used_by(part)
        elif isinstance(schema, list):
            for part in schema:
                yield from self.used_by(part)

    def _item(self, field: FieldDescriptorProto) -> Schema:
        if field.type == TYPES.TYPE_ENUM:
            return {"type": "string", "enum": self.enum_values(field.type_name)}
        if field.type == TYPES.TYPE_MESSAGE:
            return WELL_KNOWN.get(field.type_name) or reference(field.type_name)
        return SCALARS[field.type]

    def _note(
        self,
        texts: Mapping[tuple[int, ...], str],
        name: str,
        at: tuple[int, int],
        parts: Iterable[Part],
    ) -> None:
        self._comments[name] = texts.get(at, "")
        for number, part in enumerate(parts):
            self._comments[f"{name}.{part.name}"] = texts.get((*at, PARTS, number), "")


def reference(name: str) -> Schema:
    """A reference to a message's schema; empty for types that are any JSON."""
    if name in WELL_KNOWN:
        return WELL_KNOWN[name]
    return {"$ref": f"#/components/schemas/{name.lstrip('.')}"}


def _comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    return {
        tuple(place.path): "\n".join(line.strip() for line in place.leading_comments.splitlines())
        for place in file.source_code_info.location
        if place.leading_comments
    }


def _described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text.strip()} if text else schema
