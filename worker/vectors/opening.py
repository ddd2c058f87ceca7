"""Choosing the form of Qdrant that the settings ask for."""

from __future__ import annotations

from common.settings import Settings
from worker.vectors.base import VectorStore
from worker.vectors.words import WordStore


def open_store(settings: Settings) -> VectorStore:
    """Open Qdrant Edge in the data folder, or the server when NEEDLE_QDRANT_URL is set.

    Raises StoreUnavailable when the server does not answer or the folder is another process's.
    """
    if settings.qdrant_url:
        from worker.vectors.server import ServerVectorStore

        return ServerVectorStore.connect(settings.qdrant_url, api_key=settings.qdrant_api_key)
    from worker.vectors.edge import EdgeVectorStore

    return EdgeVectorStore(settings.data_dir / "vectors")


def open_words(settings: Settings) -> WordStore:
    """Open the visual words beside the embeddings, in the same form. Raises StoreUnavailable."""
    if settings.qdrant_url:
        from worker.vectors.server_words import ServerWordStore

        return ServerWordStore.connect(settings.qdrant_url, api_key=settings.qdrant_api_key)
    from worker.vectors.edge_words import EdgeWordStore

    return EdgeWordStore(settings.data_dir / "words")
