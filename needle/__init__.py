"""The Python client of Needle. It talks HTTP and imports nothing of the service.

from needle import Needle

with Needle("http://127.0.0.1:8080") as needle:
    needle.wait(needle.index(["shelf.jpg", "street.jpg"]))
    for match in needle.search("logo.png").matches:
        print(match.filename, match.score, match.hits[0].box)
        match.draw().save(f"found-{match.filename}")

`AsyncNeedle` is the same for asyncio, `index_all` indexes very many images.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from needle.api import AsyncNeedle, Needle
    from needle.bulk import index_all
    from needle.errors import (
        JobFailed,
        NeedleApiError,
        NeedleClientError,
        NeedleUnreachable,
        TimedOut,
    )
    from needle.indexed import Collection, Image
    from needle.jobs import Item, Job, Progress
    from needle.results import Box, Hit, Match, SearchResult
    from needle.tally import Failure, Outcome
    from needle.upkeep import Verified

__version__ = "0.1.0"

__all__ = [
    "AsyncNeedle",
    "Box",
    "Collection",
    "Failure",
    "Hit",
    "Image",
    "Item",
    "Job",
    "JobFailed",
    "Match",
    "Needle",
    "NeedleApiError",
    "NeedleClientError",
    "NeedleUnreachable",
    "Outcome",
    "Progress",
    "SearchResult",
    "TimedOut",
    "Verified",
    "__version__",
    "index_all",
]

_HOMES = {
    "needle.api": (
        "AsyncNeedle",
        "Needle",
    ),
    "needle.bulk": ("index_all",),
    "needle.errors": (
        "JobFailed",
        "NeedleApiError",
        "NeedleClientError",
        "NeedleUnreachable",
        "TimedOut",
    ),
    "needle.indexed": (
        "Collection",
        "Image",
    ),
    "needle.jobs": (
        "Item",
        "Job",
        "Progress",
    ),
    "needle.results": (
        "Box",
        "Hit",
        "Match",
        "SearchResult",
    ),
    "needle.tally": (
        "Failure",
        "Outcome",
    ),
    "needle.upkeep": ("Verified",),
}
"""The modules of these names. They are imported when one is asked for, since the command line
begins with this package: `needle --help` reads no more than it needs."""


def __getattr__(name: str) -> Any:
    """Return what is of this name. Raises AttributeError."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'needle' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names."""
    return sorted({*globals(), *__all__})
