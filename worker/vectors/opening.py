"""Choosing the form of Qdrant that the settings ask for."""

from __future__ import annotations

from common.disk import Disk
from common.settings import Settings
from worker.vectors.engine import Engine
from worker.vectors.stores import VectorStore


def open_engine(settings: Settings) -> Engine:
    """Open Qdrant Edge in the data folder, or the server when NEEDLE_QDRANT_URL is set.

    Raises StoreUnavailable when the server does not answer or the folder is another process's, and
    DiskFull where the folder's disk has no room for what the engine writes when it opens.
    """
    if settings.qdrant_url:
        from worker.vectors.server import Server
        from worker.vectors.server.form import Form

        return Server.connect(
            settings.qdrant_url,
            api_key=settings.qdrant_api_key,
            timeout_s=settings.qdrant_timeout_s,
            form=Form.of(settings),
        )
    from worker.vectors.edge import Edge

    return Edge(settings.data_dir, Disk(settings.data_dir, settings.min_free_bytes))


def open_store(settings: Settings) -> VectorStore:
    """Open the regions' store alone, on an engine of its own. Raises StoreUnavailable."""
    return VectorStore(open_engine(settings))
