"""`python -m worker bulk on NAME`, `bulk off NAME`: bulk mode of a collection on a Qdrant server.

While it is on, the server builds no index of what is written, and a big ingest goes faster;
searches compare what is pending point by point. `GET /readyz` says that it is on, `/collections`
how much is pending. The server knows that it is on, so it stays on whatever is started again. With
`--until-idle` the search workers end it once the ingest is over (`worker/bulk_end.py`).
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence

from common.catalogue import Catalogue
from common.errors import BadRequest, NeedleError, NotFound
from common.redis import connect
from common.settings import Settings
from worker.vectors.engine import State
from worker.vectors.opening import open_engine
from worker.vectors.stores import VectorStore

IDLE_S = 300.0
LEAST_IDLE_S = 10.0
"""Search workers look every five seconds."""


def main(words: Sequence[str]) -> int:
    """Do what the words say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m worker bulk", description=__doc__)
    parser.add_argument("mode", choices=["on", "off"])
    parser.add_argument("collection", metavar="NAME")
    parser.add_argument(
        "--until-idle",
        nargs="?",
        type=_seconds,
        const=IDLE_S,
        metavar="SECONDS",
        help="with `on`: end it by itself once no job has indexed into the collection for so long "
        f"({IDLE_S:.0f} s)",
    )
    asked = parser.parse_args(words)
    if asked.mode == "off" and asked.until_idle is not None:
        parser.error("--until-idle goes with `on`")
    try:
        settings = Settings.from_env(os.environ)
        state = switch(settings, asked.collection, asked.mode == "on", asked.until_idle)
    except NeedleError as error:
        print(f"needle: {error.message}", file=sys.stderr)
        return error.exit_status
    print(_sentence(asked.collection, state, asked.until_idle))
    return 0


def switch(
    settings: Settings, collection: str, on: bool, until_idle_s: float | None = None
) -> State:
    """Turn a collection's bulk mode on or off; return how far its index reaches.

    With `until_idle_s` it ends by itself once nothing has come for so long. Raises BadRequest
    where there is no server, NotFound where the server has no such collection, StoreUnavailable
    and, before anything is changed, BrokerUnavailable.
    """
    if not settings.qdrant_url:
        raise BadRequest(
            "Bulk mode is of collections on a Qdrant server, and NEEDLE_QDRANT_URL names none; the "
            "embedded index is built when nothing has been written for a minute."
        )
    catalogue = Catalogue(connect(settings.redis_url))
    catalogue.bulk_ends()  # Redis has to be there before anything is changed
    store = VectorStore(open_engine(settings))
    try:
        if not store.defer(collection, on):
            raise NotFound(
                f"The Qdrant server has no collection '{collection}': it is made with its first "
                "image. Post that, then turn bulk mode on."
            )
        if until_idle_s is None:
            catalogue.leave_bulk(collection)  # what was said before
        else:
            catalogue.end_bulk_when_idle(collection, until_idle_s)
        return store.state(collection)
    finally:
        store.close()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not LEAST_IDLE_S <= seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds from {LEAST_IDLE_S:.0f} on"
        )
    return seconds


def _sentence(name: str, state: State, until_idle_s: float | None) -> str:
    pending = f"{state.pending:,} of {state.points:,} regions are pending"
    if not state.deferred:
        return f"{name}: bulk mode is off, {pending}; the server indexes them where they are many."
    if until_idle_s is None:
        return f"{name}: bulk mode is on, {pending}. `bulk off` has them indexed."
    return (
        f"{name}: bulk mode is on, {pending}. It ends once nothing has come for "
        f"{until_idle_s:,.0f} s, or with `bulk off`."
    )
