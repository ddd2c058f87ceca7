"""Settings of the server form: where the Qdrant server is, and what collections are like there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

Positive = Annotated[int, Field(ge=1)]
_FIELD = r"\s*[^:,\s]+(:(keyword|integer|float|bool))?\s*"


class QdrantSettings(BaseModel):
    """What `NEEDLE_QDRANT_*` says. A collection keeps the form that it was made in."""

    qdrant_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Qdrant server; without one, Qdrant Edge in-process",
    )
    qdrant_api_key: str | None = Field(None, description="Key of the Qdrant server", repr=False)
    qdrant_timeout_s: Positive = Field(
        30, description="Longest that the Qdrant server may take for an answer (seconds)"
    )
    qdrant_shards: Positive | None = Field(
        None, description="Shards of a new collection on the server; unset: the server decides"
    )
    qdrant_replicas: Positive | None = Field(
        None, description="Copies of each of its shards, on as many nodes; unset: the server's, 1"
    )
    qdrant_write_consistency: Positive | None = Field(
        None, description="Copies that must have taken a write; unset: the server's, 1"
    )
    qdrant_vectors_on_disk: bool | None = Field(
        None, description="Whether its vectors stay on disk (`true`); unset: the server decides"
    )
    qdrant_payload_on_disk: bool | None = Field(
        None, description="Whether its payload stays on disk (`true`); unset: the server decides"
    )
    qdrant_hnsw_m: Annotated[int, Field(ge=4, le=128)] | None = Field(
        None, description="Edges of a point in its index (HNSW's m); unset: the server's, 16"
    )
    qdrant_hnsw_ef_construct: Annotated[int, Field(ge=4, le=2000)] | None = Field(
        None, description="Edges tried for it (HNSW's ef_construct); unset: the server's, 100"
    )
    qdrant_quantization: Literal["none", "int8"] = Field(
        "none",
        description="`int8` keeps its vectors in 8 bits a number as well, by which a search finds "
        "what it then compares by the vectors themselves; or `none`",
    )
    qdrant_quantization_ram: bool = Field(
        True, description="Whether the 8 bits stay in memory wherever the vectors are"
    )
    qdrant_oversampling: Annotated[float, Field(ge=1, le=10)] = Field(
        2.0, description="How many times as many as are wanted a search finds by the 8 bits"
    )
    qdrant_indexing_kb: Positive = Field(
        10_000, description="Vectors (kB) of a segment from which on the server builds its index"
    )
    qdrant_filters: str = Field(
        "",
        pattern=rf"^({_FIELD}(,{_FIELD})*)?$",
        description="Metadata that is filtered by, by commas: `shop,year:float,public:bool`; the "
        "kinds are `keyword`, `integer`, `float` (ranges, too) and `bool`. Their indexes are there "
        "before the first image; another key's is made when it is first asked for",
    )

    @property
    def filter_fields(self) -> dict[str, str]:
        """`qdrant_filters` as the kind of index of each key."""
        named = (part.strip().partition(":") for part in self.qdrant_filters.split(",") if part)
        return {key: kind or "keyword" for key, _, kind in named}
