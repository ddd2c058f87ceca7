"""How collections are made on a Qdrant server, and how they are searched: what the settings say.

A collection keeps the form that it was made in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qdrant_client import models

from common.settings import Settings
from worker.vectors.engine import LOOKED_AT, Sort
from worker.vectors.words import VECTOR, VOCABULARY

Kind = models.PayloadSchemaType | models.IntegerIndexParams
KEYWORD = models.PayloadSchemaType.KEYWORD
INDEXES: dict[str, Kind] = {
    "keyword": KEYWORD,
    # For ranges it would pass over points that hold 1.5.
    "integer": models.IntegerIndexParams(
        type=models.IntegerIndexType.INTEGER, lookup=True, range=False
    ),
    "float": models.PayloadSchemaType.FLOAT,
    "bool": models.PayloadSchemaType.BOOL,
}


@dataclass(frozen=True)
class Form:
    """What new collections are like; the server decides on what is None."""

    shards: int | None = None
    replicas: int | None = None
    write_consistency: int | None = None
    vectors_on_disk: bool | None = None
    payload_on_disk: bool | None = None
    edges: int | None = None
    edges_tried: int | None = None
    int8: bool = False
    int8_in_memory: bool = True
    oversampling: float = 2.0
    unindexed_kb: int = 10_000
    fields: Mapping[str, str] = field(default_factory=dict)
    """The kind of index of each key of the metadata that is known to be filtered by."""

    @classmethod
    def of(cls, settings: Settings) -> Form:
        """Return what the settings say."""
        return cls(
            shards=settings.qdrant_shards,
            replicas=settings.qdrant_replicas,
            write_consistency=settings.qdrant_write_consistency,
            vectors_on_disk=settings.qdrant_vectors_on_disk,
            payload_on_disk=settings.qdrant_payload_on_disk,
            edges=settings.qdrant_hnsw_m,
            edges_tried=settings.qdrant_hnsw_ef_construct,
            int8=settings.qdrant_quantization == "int8",
            int8_in_memory=settings.qdrant_quantization_ram,
            oversampling=settings.qdrant_oversampling,
            unindexed_kb=settings.qdrant_indexing_kb,
            fields=settings.filter_fields,
        )

    def collection(self, dim: int | None) -> dict[str, Any]:
        """Return what a collection is made with: of embeddings of `dim` numbers, None for words."""
        return {
            **(self._words() if dim is None else self._embeddings(dim)),
            "shard_number": self.shards,
            "replication_factor": self.replicas,
            "write_consistency_factor": self.write_consistency,
            "on_disk_payload": self.payload_on_disk,
            "optimizers_config": models.OptimizersConfigDiff(indexing_threshold=self.unindexed_kb),
        }

    def indexes(self, sort: Sort) -> dict[str, Kind]:
        """Return the fields that have an index before there are points, and its kind.

        The graph of a server has edges for a filter only where the index was there before it.
        """
        of_words = {f"metadata.{VOCABULARY}": KEYWORD} if sort is Sort.WORDS else {}
        asked = {f"metadata.{key}": INDEXES[kind] for key, kind in self.fields.items()}
        return {"image_id": KEYWORD, **of_words, **asked}

    def search(self, *, exact: bool) -> models.SearchParams:
        """Return how embeddings are compared.

        Where they are kept in 8 bits as well, more than are wanted are found by those, and compared
        once more by what they were made of. An exact search does not look at the 8 bits.
        """
        again = models.QuantizationSearchParams(rescore=True, oversampling=self.oversampling)
        return models.SearchParams(exact=exact, hnsw_ef=LOOKED_AT, quantization=again)

    def _embeddings(self, dim: int) -> dict[str, Any]:
        # Half the numbers' bytes; older servers know no smaller form.
        dense = models.VectorParams(
            size=dim,
            distance=models.Distance.COSINE,
            datatype=models.Datatype.FLOAT16,
            on_disk=self.vectors_on_disk,
        )
        eight_bits = models.ScalarQuantizationConfig(
            type=models.ScalarType.INT8, always_ram=self.int8_in_memory
        )
        return {
            "vectors_config": dense,
            "hnsw_config": models.HnswConfigDiff(m=self.edges, ef_construct=self.edges_tried),
            "quantization_config": (
                models.ScalarQuantization(scalar=eight_bits) if self.int8 else None
            ),
        }

    def _words(self) -> dict[str, Any]:
        index = models.SparseIndexParams(on_disk=self.vectors_on_disk)
        params = models.SparseVectorParams(modifier=models.Modifier.IDF, index=index)
        return {"vectors_config": {}, "sparse_vectors_config": {VECTOR: params}}
