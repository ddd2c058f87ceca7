"""Sizes in words, as sentences to people say them. Programs get numbers."""

from __future__ import annotations

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_ENDS_AT = 999.5
"""What would be rounded to 1,000 of a unit is one of the next."""


def sized(size: float) -> str:
    """Return a number of bytes in words, at 1,024 to each step, as limits are set: 64 MB."""
    unit = 0
    while size >= _ENDS_AT and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    exact = unit > 0 and size < 9.95
    return f"{f'{size:,.1f}'.removesuffix('.0') if exact else f'{size:,.0f}'} {_UNITS[unit]}"


def pixels(number: int) -> str:
    """Return a number of pixels in words: 100 megapixels."""
    millions = number / 1_000_000
    if millions < 0.1:
        return f"{number:,} pixels"
    return f"{millions:,.0f} megapixels" if millions >= 9.95 else f"{millions:.1f} megapixels"
