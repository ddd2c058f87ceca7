"""Choosing the form of Qdrant that the settings ask for."""

from __future__ import annotations

from common.settings import Settings
from common.vectors.base import VectorStore


def open_store(settings: Settings) -> VectorStore:
    """Open Qdrant Edge in the data folder, or the server when NEEDLE_QDRANT_URL is set.

    Raises StoreUnavailable when the server does not answer or the folder is another process's.
    """
    if settings.qdrant_url:
        from common.vectors.server import ServerVectorStore

        return ServerVectorStore.connect(settings.qdrant_url, api_key=settings.qdrant_api_key)
    from common.vectors.edge import EdgeVectorStore

    return EdgeVectorStore(settings.data_dir / "vectors")
