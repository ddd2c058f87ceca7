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

from needle.api import AsyncNeedle, Needle
from needle.bulk import index_all
from needle.errors import JobFailed, NeedleApiError, NeedleClientError, NeedleUnreachable, TimedOut
from needle.indexed import Collection, Image
from needle.jobs import Item, Job, Progress
from needle.results import Box, Hit, Match, SearchResult
from needle.tally import Failure, Outcome
from needle.upkeep import Verified

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
    "index_all",
]
