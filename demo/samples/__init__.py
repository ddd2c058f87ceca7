"""Sample photos and queries, drawn from a seed: what ``make demo`` searches.

The repository holds no downloaded picture. A set is a dozen large cluttered photos, and small
queries whose place in them is known. Drawing needs only Pillow and numpy; nothing of the service
is imported here, and the service imports nothing of this.
"""

from __future__ import annotations

from demo.samples.records import Query, SampleSet
from demo.samples.set import generate, load

__all__ = ["Query", "SampleSet", "generate", "load"]
