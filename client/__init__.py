"""The Python client of Needle. It talks HTTP and imports nothing of the service.

from client import Needle

with Needle("http://127.0.0.1:8080") as needle:
    needle.wait(needle.index(["shelf.jpg", "street.jpg"]))
    for match in needle.search("logo.png").matches:
        print(match.filename, match.score, match.hits[0].box)
"""

from __future__ import annotations

from client.api import Needle
from client.errors import JobFailed, NeedleApiError, NeedleClientError, NeedleUnreachable, TimedOut
from client.results import Box, Hit, Image, Item, Job, Match, Progress, SearchResult

__all__ = [
    "Box",
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
    "Progress",
    "SearchResult",
    "TimedOut",
]
