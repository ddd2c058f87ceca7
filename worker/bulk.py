"""`python -m worker bulk on NAME`, `bulk off NAME`: bulk mode of a collection on a Qdrant server.

While it is on, the server builds no index of what is written, and a big ingest goes faster;
searches compare what is pending point by point. `GET /collections` says that it is on, and how much
is pending. That it is on is known to the server alone, so it stays on whatever is started again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from common.errors import BadRequest, NeedleError, NotFound
from common.settings import Settings
from worker.vectors.engine import State
from worker.vectors.opening import open_engine
from worker.vectors.stores import VectorStore


def main(words: Sequence[str]) -> int:
    """Do what the words say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m worker bulk", description=__doc__)
    parser.add_argument("mode", choices=["on", "off"])
    parser.add_argument("collection", metavar="NAME")
    asked = parser.parse_args(words)
    try:
        state = switch(Settings.from_env(os.environ), asked.collection, asked.mode == "on")
    except NeedleError as error:
        print(f"needle: {error.message}", file=sys.stderr)
        return 1
    print(_sentence(asked.collection, state))
    return 0


def switch(settings: Settings, collection: str, on: bool) -> State:
    """Turn a collection's bulk mode on or off; return how far its index reaches.

    Raises BadRequest where there is no server, NotFound where the server has no such collection,
    and StoreUnavailable.
    """
    if not settings.qdrant_url:
        raise BadRequest(
            "Bulk mode is of collections on a Qdrant server, and NEEDLE_QDRANT_URL names none; the "
            "embedded index is built when nothing has been written for a minute."
        )
    store = VectorStore(open_engine(settings))
    try:
        if not store.defer(collection, on):
            raise NotFound(
                f"The Qdrant server has no collection '{collection}': it is made with its first "
                "image. Post that, then turn bulk mode on."
            )
        return store.state(collection)
    finally:
        store.close()


def _sentence(name: str, state: State) -> str:
    pending = f"{state.pending:,} of {state.points:,} regions are pending"
    if state.deferred:
        return f"{name}: bulk mode is on, {pending}. `bulk off` has them indexed."
    return f"{name}: bulk mode is off, {pending}; the server indexes them where they are many."
