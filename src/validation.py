"""A value that does not fit its setting, in one line: the setting as typed, the law, the value."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from .errors import Place, UserError


def under(place: Place, *above: str) -> Place:
    """Names settings that stand below a path."""
    return lambda path: place((*above, *path))


_LAWS: Mapping[str, str] = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "dataclass_type": "must be a mapping",
    "dataclass_exact_type": "must be a mapping",
    "unexpected_keyword_argument": "is no setting",
}
_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than_equal": (">=", "ge"),
    "greater_than": (">", "gt"),
    "less_than_equal": ("<=", "le"),
    "less_than": ("<", "lt"),
}


def validated(annotation: Any, value: Any, place: Place) -> Any:
    """A value of plain data as the type says, nothing coerced but whole numbers into reals.

    Args:
        annotation: Any type that pydantic reads, dataclasses among them.
        value: Plain data, as YAML gives it.
        place: Names the setting at a path below the value.

    Raises:
        UserError: The value does not fit; the first misfit is named.
    """
    if unfit := _no_utf8(value, ()):
        path, text = unfit
        raise UserError(f"{place(path)}: must be text that UTF-8 can hold, but got {text!r}")
    try:
        # In JSON a list may be a tuple and a mapping a dataclass; in Python, strictness forbids it.
        return TypeAdapter(annotation).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise UserError(_sentence(error.errors(include_url=False)[0], place)) from None


def _no_utf8(value: Any, path: tuple[str, ...]) -> tuple[tuple[str, ...], str] | None:
    """The first text with half a surrogate pair, as file names of other encodings have, if any."""
    if isinstance(value, str):
        return (path, value) if any("\ud800" <= c <= "\udfff" for c in value) else None
    below = value.items() if isinstance(value, Mapping) else []
    matches = (_no_utf8(one, (*path, str(key))) for key, one in below)
    if isinstance(value, list | tuple):
        matches = (_no_utf8(one, path) for one in value)
    return next((one for one in matches if one is not None), None)


def _sentence(error: ErrorDetails, place: Place) -> str:
    # A place inside a list has no name of its own; the value tells which it is.
    path = tuple(part for part in error["loc"] if isinstance(part, str))
    return f"{place(path)}: {_explain(error)}"


def _explain(error: ErrorDetails) -> str:
    value, context = error["input"], error.get("ctx", {})
    if error["type"] in _BOUNDS:
        sign, key = _BOUNDS[error["type"]]
        return f"must be {sign} {context[key]:g}, but got {shown(value)}"
    if error["type"] == "too_short":
        return "must not be empty"
    if error["type"] == "literal_error":
        return (
            f"must be one of {context['expected']}, but got {shown(value)}{_hint(context, value)}"
        )
    message = _LAWS.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])
    quote = f" (write '{value}')" if error["type"] == "string_type" and _scalar(value) else ""
    return f"{message}, but got {shown(value)}{quote}"


def _hint(context: Mapping[str, Any], value: Any) -> str:
    words = [part.strip("' ") for part in str(context["expected"]).replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(str(value).lower(), words, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def _scalar(value: Any) -> bool:
    return isinstance(value, int | float | bool)


def shown(value: Any) -> str:
    """A value as YAML would write it, shortened."""
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
