"""Visual words on a Qdrant server: a collection of sparse vectors beside each of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from common.vectors.filters import Condition
from common.vectors.server import BATCH, FILTERS, connect, translated
from common.vectors.words import VECTOR, SparseVector, WordsHit, WordsPoint, of_vocabulary

_PREFIX = "needlewords_"


class ServerWordStore:
    """A word store on a Qdrant server; any number of processes may share it."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._known: set[str] = set()

    @classmethod
    def connect(cls, url: str, *, api_key: str | None = None) -> ServerWordStore:
        """Connect to the server at `url`. Raises StoreUnavailable when it does not answer."""
        return cls(connect(url, api_key=api_key))

    def put(self, collection: str, points: Sequence[WordsPoint]) -> None:
        """See WordStore."""
        if not points:
            return
        with translated():
            self._ensure(collection)
            for start in range(0, len(points), BATCH):
                batch = [_point(point) for point in points[start : start + BATCH]]
                self._client.upsert(_PREFIX + collection, batch, wait=True)

    def delete_image(self, collection: str, image_id: str) -> None:
        """See WordStore."""
        with translated():
            if self._exists(collection):
                one = models.FilterSelector(filter=FILTERS.of_images_except([image_id], []))
                self._client.delete(_PREFIX + collection, one, wait=True)

    def search(
        self,
        collection: str,
        vector: SparseVector,
        *,
        vocabulary: str,
        limit: int,
        where: Sequence[Condition] = (),
    ) -> list[WordsHit]:
        """See WordStore."""
        with translated():
            if not vector.indices or not self._exists(collection):
                return []
            answer = self._client.query_points(
                _PREFIX + collection,
                query=_sparse(vector),
                using=VECTOR,
                limit=limit,
                query_filter=FILTERS.build([of_vocabulary(vocabulary), *where], None),
                with_payload=True,
            )
        return [
            WordsHit((p.payload or {})["image_id"], p.score) for p in answer.points if p.score > 0
        ]

    def count(self, collection: str) -> int:
        """See WordStore."""
        with translated():
            if not self._exists(collection):
                return 0
            return self._client.count(_PREFIX + collection, exact=True).count

    def delete_collection(self, name: str) -> None:
        """See WordStore."""
        self._known.discard(name)
        with translated():
            self._client.delete_collection(_PREFIX + name)

    def close(self) -> None:
        """See WordStore."""
        self._client.close()

    def _ensure(self, name: str) -> None:
        if self._exists(name):
            return
        params = models.SparseVectorParams(modifier=models.Modifier.IDF)
        try:
            self._client.create_collection(
                _PREFIX + name, vectors_config={}, sparse_vectors_config={VECTOR: params}
            )
        except ApiException:
            if not self._client.collection_exists(_PREFIX + name):  # else: a peer was faster
                raise
        self._client.create_payload_index(
            _PREFIX + name, "image_id", models.PayloadSchemaType.KEYWORD, wait=True
        )

    def _exists(self, name: str) -> bool:
        """Remember collections once seen: this is asked on every search."""
        if name not in self._known and self._client.collection_exists(_PREFIX + name):
            self._known.add(name)
        return name in self._known


def _sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=list(vector.indices), values=list(vector.weights))


def _point(point: WordsPoint) -> models.PointStruct:
    return models.PointStruct(
        id=point.id, vector={VECTOR: _sparse(point.vector)}, payload=point.payload()
    )
