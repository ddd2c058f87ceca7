"""The engine on a Qdrant server, which several processes share."""

from worker.vectors.server.engine import Server

__all__ = ["Server"]
