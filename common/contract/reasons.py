"""Why a field was refused, in words of ours: a library's own speak of its types.

Each is said after the field's name: "limit: must be at most 100".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator

_NUMBER, _WHOLE, _TEXT = "must be a number", "must be a whole number", "must be text"
_LIST, _OBJECT = "must be a list", "must be an object"
_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "there is no such field",
    "none_required": "must be null",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "is too large a number",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_type": _TEXT,
    "string_sub_type": _TEXT,
    "string_unicode": "holds what is no character",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "json_invalid": "is not JSON that can be read",
    "value_error": "{error}",
}
"""By the kind of fault that pydantic names; what it knows of the fault fills the gaps."""


def reason(fault: Mapping[str, Any]) -> str:
    """Return why, for a fault of those that `ValidationError.errors()` lists with its context."""
    template = _REASONS.get(fault["type"])
    if template is None:
        return "is not as it must be"
    said = template.format_map(fault.get("ctx") or {})
    return "must not be empty" if said == _NOT_EMPTY else said.replace(" 1 entries", " one entry")


_NOT_EMPTY = _REASONS["string_too_short"].format(min_length=1)


def otherwise(sentence: str) -> WrapValidator:
    """Mark a field that may be one of several things: one sentence refuses what is none of them."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise ValueError(sentence) from None

    wrapped: Callable[[Any, ValidatorFunctionWrapHandler], Any] = check
    return WrapValidator(wrapped)
