"""Qdrant's REST models in the words of Qdrant Edge. What Edge is not asked for here is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import qdrant_edge as qe
from qdrant_client.http import models

from tests.qdrant_server.errors import Refused

FLAGS = "__truths"
"""Edge's Python binding takes True for 1 in filters, so truth values are kept as words as well."""
INDEX_KINDS = {
    "keyword": qe.PayloadSchemaType.Keyword,
    "integer": qe.PayloadSchemaType.Integer,
    "float": qe.PayloadSchemaType.Float,
    "bool": qe.PayloadSchemaType.Keyword,
}


def config(asked: models.CreateCollection) -> qe.EdgeConfig:
    """Return the form of the shard of a collection."""
    hnsw = asked.hnsw_config or models.HnswConfigDiff()
    quantization = asked.quantization_config
    if quantization is not None and not isinstance(quantization, models.ScalarQuantization):
        raise Refused("The stand-in only has scalar quantization.")
    return qe.EdgeConfig(
        vectors={name: _dense(params) for name, params in dense_vectors(asked).items()},
        sparse_vectors={
            name: qe.EdgeSparseVectorParams(
                modifier=qe.Modifier.Idf if params.modifier is models.Modifier.IDF else None,
                on_disk=params.index.on_disk if params.index else None,
            )
            for name, params in (asked.sparse_vectors or {}).items()
        },
        on_disk_payload=asked.on_disk_payload,
        wal_enabled=False,  # it is flushed before it answers
        hnsw_config=qe.HnswIndexConfig(
            16 if hnsw.m is None else hnsw.m,
            hnsw.ef_construct or 100,
            full_scan_threshold=hnsw.full_scan_threshold or 10_000,
        ),
        quantization_config=quantization
        and qe.ScalarQuantizationConfig(
            qe.ScalarType.Int8,
            quantile=quantization.scalar.quantile,
            always_ram=quantization.scalar.always_ram,
        ),
        optimizers=qe.EdgeOptimizersConfig(indexing_threshold=indexing_threshold(asked)),
    )


def dense_vectors(asked: models.CreateCollection) -> dict[str, models.VectorParams]:
    """Return the dense vectors of a collection's points by name; the only one has none."""
    vectors = asked.vectors or {}
    return {"": vectors} if isinstance(vectors, models.VectorParams) else dict(vectors)


def indexing_threshold(asked: models.CreateCollection) -> int:
    """Return from how many kB of vectors on an index is built; 0 for never."""
    given = asked.optimizers_config and asked.optimizers_config.indexing_threshold
    return 10_000 if given is None else given


def point(given: models.PointStruct) -> qe.Point:
    """Return a point with its vectors and its payload."""
    return qe.Point(given.id, _vectors(given.vector), with_flags(given.payload or {}))


def query(asked: models.QueryRequest) -> qe.QueryRequest:
    """Return a search for the points nearest to a vector."""
    if asked.prefetch or asked.lookup_from:
        raise Refused("The stand-in has neither prefetch nor lookup.")
    wanted = asked.query.nearest if isinstance(asked.query, models.NearestQuery) else asked.query
    if isinstance(wanted, models.SparseVector):
        wanted = qe.SparseVector(wanted.indices, wanted.values)
    elif not isinstance(wanted, list):
        raise Refused("The stand-in only searches for what is near to a vector.")
    return qe.QueryRequest(
        limit=10 if asked.limit is None else asked.limit,
        offset=asked.offset,
        query=qe.Query.Nearest(wanted, using=asked.using),
        filter=filters(asked.filter),
        params=_params(asked.params),
        score_threshold=asked.score_threshold,
        with_payload=payload_wanted(asked.with_payload),
        with_vector=bool(asked.with_vector),
    )


def payload_wanted(asked: Any) -> Any:
    """Return which part of the payload is wanted; the stand-in knows yes, no, and fields."""
    if asked is None or isinstance(asked, (bool, list)):
        return asked or False
    raise Refused("The stand-in takes `with_payload` as true, false or a list of fields.")


def filters(asked: models.Filter | None) -> qe.Filter | None:
    """Return a filter in Edge's words."""
    if asked is None:
        return None
    if asked.min_should:
        raise Refused("The stand-in has no `min_should`.")
    sides = {
        side: [_condition(one) for one in _listed(getattr(asked, side))]
        for side in ("must", "should", "must_not")
    }
    return qe.Filter(**{side: conditions for side, conditions in sides.items() if conditions})


def fields(asked: models.Filter | None) -> Iterator[str]:
    """Yield the fields of the payload that a filter looks at."""
    for side in ("must", "should", "must_not"):
        for one in _listed(getattr(asked, side, None)):
            if isinstance(one, models.FieldCondition):
                yield one.key
            elif isinstance(one, models.Filter):
                yield from fields(one)


def index(schema: Any) -> Any:
    """Return the kind of an index of a field."""
    if isinstance(schema, models.IntegerIndexParams):
        return qe.IntegerIndexParams(lookup=schema.lookup, range=schema.range)
    kind = schema.value if isinstance(schema, models.PayloadSchemaType) else schema.type.value
    if kind not in INDEX_KINDS:
        raise Refused(f"The stand-in has no index of the kind {kind}.")
    return INDEX_KINDS[kind]


def with_flags(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a payload with the truth values of each of its objects as words beside them."""
    told = {k: with_flags(v) if isinstance(v, Mapping) else v for k, v in payload.items()}
    words = [_word(k, v) for k, v in payload.items() if isinstance(v, bool)]
    return {**told, FLAGS: words} if words else told


def without_flags(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a payload as it was given."""
    return {
        key: without_flags(value) if isinstance(value, Mapping) else value
        for key, value in payload.items()
        if key != FLAGS
    }


def _dense(params: models.VectorParams) -> qe.EdgeVectorParams:
    datatype = {
        models.Datatype.FLOAT16: qe.VectorStorageDatatype.Float16,
        models.Datatype.UINT8: qe.VectorStorageDatatype.Uint8,
    }.get(params.datatype, qe.VectorStorageDatatype.Float32)
    distance = getattr(qe.Distance, params.distance.value)
    return qe.EdgeVectorParams(params.size, distance, on_disk=params.on_disk, datatype=datatype)


def _vectors(given: Any) -> Any:
    if isinstance(given, dict):
        return {name: _vectors(one) for name, one in given.items()}
    if isinstance(given, models.SparseVector):
        if len(set(given.indices)) != len(given.indices):
            raise Refused("Validation error: indices must be unique")
        return qe.SparseVector(given.indices, given.values)
    if isinstance(given, list):
        return given
    raise Refused("The stand-in makes no vectors of what is not one.")


def _params(asked: models.SearchParams | None) -> qe.SearchParams | None:
    if asked is None:
        return None
    compact = asked.quantization
    return qe.SearchParams(
        hnsw_ef=asked.hnsw_ef,
        exact=bool(asked.exact),
        indexed_only=bool(asked.indexed_only),
        quantization=compact
        and qe.QuantizationSearchParams(
            ignore=bool(compact.ignore),
            rescore=compact.rescore,
            oversampling=compact.oversampling,
        ),
    )


def _condition(asked: Any) -> Any:
    if isinstance(asked, models.HasIdCondition):
        return qe.HasIdCondition(set(asked.has_id))
    if isinstance(asked, models.Filter):
        return filters(asked)
    if not isinstance(asked, models.FieldCondition):
        raise Refused("The stand-in does not know this condition.")
    if isinstance(asked.range, models.Range):
        return qe.FieldCondition(key=asked.key, range=qe.RangeFloat(**asked.range.model_dump()))
    if isinstance(asked.match, models.MatchAny):
        return qe.FieldCondition(key=asked.key, match=qe.MatchAny(asked.match.any))
    if not isinstance(asked.match, models.MatchValue):
        raise Refused("The stand-in knows `match` by value or any, and `range`.")
    if isinstance(asked.match.value, bool):
        parent, _, name = asked.key.rpartition(".")
        key = f"{parent}.{FLAGS}" if parent else FLAGS
        return qe.FieldCondition(key=key, match=qe.MatchValue(_word(name, asked.match.value)))
    return qe.FieldCondition(key=asked.key, match=qe.MatchValue(asked.match.value))


def _listed(conditions: Any) -> list[Any]:
    if conditions is None:
        return []
    return conditions if isinstance(conditions, list) else [conditions]


def _word(key: str, value: bool) -> str:
    return f"{key}={value}"
