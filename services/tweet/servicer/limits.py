"""Limits that several methods share."""

from services.chassis.errors import InvalidFieldError


def check_count(field: str, count: int, maximum: int) -> None:
    """Refuse a list of ids that is too long."""
    if count > maximum:
        problem = f"holds {count} ids; at most {maximum} are allowed"
        raise InvalidFieldError(field=field, problem=problem)
