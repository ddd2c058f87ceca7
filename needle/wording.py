"""How values are written: for people on a terminal, and for programs in tab-separated lines."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Controls, bytes that are no text, and what ends lines: a terminal would obey some of them."""
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_ENDS_AT = 999.5
"""What would be rounded to 1,000 of a unit is one of the next."""
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def visible(text: str) -> str:
    r"""Return a text whose controls and line ends are written as escapes: a tab as `\t`."""
    if text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def yes_no(value: bool) -> str:
    """Return a truth in a word."""
    return "yes" if value else "no"


def counted(number: int, thing: str) -> str:
    """Return how many there are of a thing whose plural ends with an s."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def sized(size: float) -> str:
    """Return a number of bytes in words, at 1,024 to each step, as the service does: 64 MB."""
    unit = 0
    while size >= _ENDS_AT and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    exact = unit > 0 and size < 9.95
    return f"{f'{size:,.1f}'.removesuffix('.0') if exact else f'{size:,.0f}'} {_UNITS[unit]}"


def words(value: Any) -> str:
    """Return a value as people read it; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return yes_no(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{visible(str(name))} {_inner(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_inner(one) for one in value)
    return visible(str(value))


def _inner(value: Any) -> str:
    said = words(value)
    return f"({said})" if isinstance(value, Mapping | list | tuple) else said


def sure(probability: float | None) -> str:
    """Return a probability in words: a model of it is never quite sure."""
    if probability is None:
        return ""
    if probability < 0.01:
        return "under 1 %"
    return "over 99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def tsv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as lines of tab-separated values, as `tsv_lines` makes them."""
    return "\n".join(tsv_lines(rows, columns))


def tsv_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    r"""Yield rows as lines of tab-separated values, the names of the columns first.

    What would break a line or a column is escaped (`\t`, `\n`, `\x1b`; a backslash is `\\`).
    Truth is yes or no, None is empty, lists and mappings are JSON.
    """
    yield "\t".join(columns)
    for row in rows:
        yield "\t".join(_cell(row.get(name)) for name in columns)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return yes_no(value)
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return visible(str(value).replace("\\", "\\\\"))
