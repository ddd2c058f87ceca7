"""How Qdrant Edge keeps points: the form of a new shard, and what its index is built with.

Measured with `python -m lab.bench.index`.
"""

from __future__ import annotations

import qdrant_edge as qe

from worker.vectors.words import VECTOR

EDGES, EDGES_TRIED = 12, 64
"""Of a point in the index (HNSW's m and ef_construct)."""
UNINDEXED_KB = 100
"""Segments of fewer vectors (kB) are left without an index when a shard is rebuilt."""
SCANNED_KB = 10_000
"""Where a filter leaves fewer vectors (kB), they are compared one by one."""


def new_shard(dim: int | None) -> qe.EdgeConfig:
    """Return the form of a shard of embeddings of `dim` numbers, of words for None.

    An embedding is kept in a byte a number (TurboQuant of 8 bits): scores are right to 0.002. There
    is no write-ahead log: whoever writes flushes before telling anyone, and the log cost more than
    the points (1.8 kB each).
    """
    if dim is None:
        sparse = qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf)
        return _config(sparse={VECTOR: sparse})
    dense = qe.EdgeVectorParams(
        size=dim, distance=qe.Distance.Cosine, datatype=qe.VectorStorageDatatype.Turbo8
    )
    return _config(dense={"": dense})


def _config(
    *,
    dense: dict[str, qe.EdgeVectorParams] | None = None,
    sparse: dict[str, qe.EdgeSparseVectorParams] | None = None,
) -> qe.EdgeConfig:
    return qe.EdgeConfig(
        vectors=dense,
        sparse_vectors=sparse,
        wal_enabled=False,
        hnsw_config=qe.HnswIndexConfig(EDGES, EDGES_TRIED, full_scan_threshold=SCANNED_KB),
        optimizers=qe.EdgeOptimizersConfig(indexing_threshold=UNINDEXED_KB),
    )
