"""The embedded engine: Qdrant Edge, shards in folders of the data folder, owned by one process."""

from worker.vectors.edge.engine import Edge

__all__ = ["Edge"]
