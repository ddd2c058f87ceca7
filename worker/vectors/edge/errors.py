"""What Qdrant Edge raises, in Needle's words: the one place that knows how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import NeedleError, StoreRefused, StoreUnavailable

_PASSING = ("no space left", "too many open files", "cannot allocate memory", "permission denied")
"""Words of faults that are the machine's, not a shard's."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the engine's errors into StoreUnavailable, and StoreRefused for what it cannot hold.

    It raises bare Exception, and for what it did not foresee its own BaseException.
    """
    try:
        yield
    except NeedleError:
        raise
    except (TypeError, ValueError, OverflowError) as exc:  # it cannot hold or compare a value
        raise StoreRefused(f"The embedded index does not take this: {exc}") from exc
    except Exception as exc:
        raise StoreUnavailable(f"The embedded index failed: {exc}") from exc
    except BaseException as exc:
        if not _panicked(exc):
            raise
        raise StoreUnavailable(f"The embedded index failed: {exc}") from exc


def is_of_the_machine(error: BaseException) -> bool:
    """Tell whether a shard that could not be opened may be whole: the machine stood in the way."""
    text = str(error).lower()
    return isinstance(error, OSError | MemoryError) or any(word in text for word in _PASSING)


def _panicked(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"  # of no module that can be imported
