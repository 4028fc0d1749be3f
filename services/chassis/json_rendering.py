"""Messages as the JSON that Envoy's transcoder makes of them.

The edge turns a reply into JSON field by field, at some 0.3 ms of CPU for a page of 20 tweets. What
is rendered here, once per tweet and user, passes through it untouched. The rules are the edge's:
names as in the proto, 64-bit numbers as strings, empty fields printed, absent messages left out.
"""

from base64 import b64encode
from collections.abc import Callable
from functools import cache
from json.encoder import encode_basestring as encode_string
from math import isfinite
from operator import attrgetter
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Printer = Callable[[Any], str]
_LONG = {
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
}
_SHORT = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32}
_FLOATS = {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}


def render(message: Message) -> bytes:
    """A message as JSON."""
    return _renderer(message.DESCRIPTOR)(message).encode()


@cache
def _renderer(descriptor: Descriptor) -> Printer:
    """The printer of a type of message, made when it is first needed."""
    if descriptor.file.package == "google.protobuf":
        return json_format.MessageToJson
    fields = [_field(field) for field in descriptor.fields]

    def print_message(message: Message) -> str:
        return "{" + ",".join([text for field in fields if (text := field(message))]) + "}"

    return print_message


def _field(field: FieldDescriptor) -> Printer:
    """What a message prints for one field; nothing where it is absent."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        raise TypeError(f"{field.full_name} is a map, which is not rendered")
    name, head, get, value = field.name, f'"{field.name}":', attrgetter(field.name), _value(field)

    def print_list(message: Message) -> str:
        return head + "[" + ",".join([value(item) for item in get(message)]) + "]"

    def print_present(message: Message) -> str:
        return head + value(get(message)) if message.HasField(name) else ""

    def print_always(message: Message) -> str:
        return head + value(get(message))

    if field.is_repeated:
        return print_list
    return print_present if field.has_presence else print_always


def _value(field: FieldDescriptor) -> Printer:
    """The printer of a field's single value."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        descriptor = field.message_type
        # Looked up when it prints: a tweet may hold a tweet.
        return lambda message: _renderer(descriptor)(message)  # noqa: PLW0108
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        names = {number: f'"{v.name}"' for number, v in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, str(number))
    if kind == FieldDescriptor.CPPTYPE_STRING:
        binary = field.type == FieldDescriptor.TYPE_BYTES
        return (lambda raw: f'"{b64encode(raw).decode()}"') if binary else encode_string
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return lambda flag: "true" if flag else "false"
    if kind in _FLOATS:
        return lambda number: repr(number) if isfinite(number) else f'"{_not_finite(number)}"'
    if kind in _LONG:
        return lambda number: f'"{number}"'
    assert kind in _SHORT
    return str


def _not_finite(number: float) -> str:
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
