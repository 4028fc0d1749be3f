"""Every error class and the catalogue of reasons agree."""

import importlib

from aviary.errors.v1.error_reason_pb2 import ErrorReason
from services.chassis.errors import ServiceError

from .sources import sources


def error_classes() -> list[type[ServiceError]]:
    for source in sources():
        if source.module.startswith("services.") and "ServiceError" in source.text:
            importlib.import_module(source.module)
    found, waiting = [], [ServiceError]
    while waiting:
        cls = waiting.pop()
        found.append(cls)
        waiting += cls.__subclasses__()
    return [cls for cls in found if cls.__module__.startswith("services.")]


def test_every_reason_is_in_the_catalogue() -> None:
    names = set(ErrorReason.keys())
    assert len(error_classes()) > 20
    for cls in error_classes():
        assert f"ERROR_REASON_{cls.reason}" in names, cls.__name__


def test_every_class_says_what_it_means() -> None:
    for cls in error_classes():
        assert cls.__doc__, cls.__name__
