"""What collections on a Qdrant server are made like, and bulk mode, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from common.catalogue import Catalogue
from common.redis import Client
from common.settings import Settings
from common.vectors.filters import Condition
from tests.contracts.test_vector_store import points
from tests.qdrant_server.running import QdrantServer
from worker import bulk
from worker.vectors.engine import Engine
from worker.vectors.opening import open_engine
from worker.vectors.stores import VectorStore, WordStore
from worker.vectors.words import SparseVector, WordsPoint

NAME = "formed"
DIM = 256
GIVEN = {
    "NEEDLE_QDRANT_SHARDS": "3",
    "NEEDLE_QDRANT_REPLICAS": "2",
    "NEEDLE_QDRANT_WRITE_CONSISTENCY": "2",
    "NEEDLE_QDRANT_VECTORS_ON_DISK": "true",
    "NEEDLE_QDRANT_PAYLOAD_ON_DISK": "false",
    "NEEDLE_QDRANT_HNSW_M": "8",
    "NEEDLE_QDRANT_HNSW_EF_CONSTRUCT": "64",
    "NEEDLE_QDRANT_QUANTIZATION": "int8",
    "NEEDLE_QDRANT_INDEXING_KB": "400",
    "NEEDLE_QDRANT_FILTERS": "shop,year:float,public:bool",
}


@pytest.fixture
def settings(stand_in: QdrantServer, redis: Client, redis_url: str) -> Settings:
    """Return settings that say all there is to say of collections."""
    servers = {"NEEDLE_QDRANT_URL": stand_in.url, "NEEDLE_REDIS_URL": redis_url}
    return Settings.from_env({**servers, **GIVEN})


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """Return the engine that they open."""
    opened = open_engine(settings)
    VectorStore(opened).delete_collection(NAME)
    WordStore(opened).delete_collection(NAME)
    yield opened
    opened.close()


def told(stand_in: QdrantServer, name: str) -> dict[str, Any]:
    """Return what the server tells of a collection."""
    found: dict[str, Any] = stand_in.http.get(f"/collections/{name}").json()["result"]
    return found


def embeddings(count: int) -> Any:
    made = np.random.default_rng(1).standard_normal((count, DIM)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_a_collection_is_made_as_the_settings_say_with_its_indexes_before_its_points(
    engine: Engine, stand_in: QdrantServer
) -> None:
    VectorStore(engine).ensure_collection(NAME, DIM)
    made = told(stand_in, f"needle_{NAME}")
    config, params = made["config"], made["config"]["params"]
    assert (params["shard_number"], params["replication_factor"]) == (3, 2)
    assert params["write_consistency_factor"] == 2
    assert params["vectors"] == {
        "size": DIM, "distance": "Cosine", "on_disk": True, "datatype": "float16",
    }  # fmt: skip
    assert params["on_disk_payload"] is False
    assert (config["hnsw_config"]["m"], config["hnsw_config"]["ef_construct"]) == (8, 64)
    assert config["quantization_config"] == {"scalar": {"type": "int8", "always_ram": True}}
    assert config["optimizer_config"]["indexing_threshold"] == 400
    fields = {name: one["data_type"] for name, one in made["payload_schema"].items()}
    assert fields == {
        "image_id": "keyword", "metadata.shop": "keyword",
        "metadata.year": "float", "metadata.public": "bool",
    }  # fmt: skip


def test_words_lie_on_disk_where_vectors_do_and_their_vocabulary_has_an_index(
    engine: Engine, stand_in: QdrantServer
) -> None:
    vector = SparseVector([1], [1.0])
    WordStore(engine).put(NAME, [WordsPoint("0" * 32, "a", "v1", vector)])
    made = told(stand_in, f"needlewords_{NAME}")
    sparse = made["config"]["params"]["sparse_vectors"]["words"]
    assert sparse == {"index": {"on_disk": True}, "modifier": "idf"}
    assert "metadata.__vocabulary" in made["payload_schema"]


def test_bulk_mode_puts_indexing_off_until_it_is_ended_and_searches_are_right_all_the_time(
    engine: Engine, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    store, made = VectorStore(engine), embeddings(1200)
    store.ensure_collection(NAME, DIM)
    assert bulk.switch(settings, NAME, on=True).deferred
    store.replace_images(NAME, [points("a", made[:600]), points("b", made[600:], public=True)])
    state = store.state(NAME)
    assert (state.points, state.pending, state.deferred) == (1200, 1200, True)

    def found() -> list[float]:
        public = (Condition("public", values=(True,)),)
        hits = [
            store.search(NAME, made[700], limit=1, where=where, exact=exact)[0]
            for exact in (True, False)
            for where in ((), public)
        ]
        assert {hit.region.image_id for hit in hits} == {"b"}
        return [hit.score for hit in hits]

    assert found() == pytest.approx([1.0] * 4, abs=1e-2)
    assert not bulk.switch(settings, NAME, on=False).deferred
    for _ in range(200):
        if store.state(NAME).pending < 1200:
            break
    else:
        pytest.fail("the server did not begin to index")
    assert found() == pytest.approx([1.0] * 4, abs=1e-2)


def test_bulk_mode_of_what_is_not_there_is_refused_with_a_sentence(
    settings: Settings,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NEEDLE_QDRANT_URL", str(settings.qdrant_url))
    monkeypatch.setenv("NEEDLE_REDIS_URL", settings.redis_url)
    assert bulk.main(["on", "nowhere"]) == 1
    assert "no collection 'nowhere'" in capsys.readouterr().err
    VectorStore(engine).ensure_collection(NAME, DIM)
    assert bulk.main(["on", NAME]) == 0
    assert "bulk mode is on, 0 of 0 regions are pending" in capsys.readouterr().out
    monkeypatch.delenv("NEEDLE_QDRANT_URL")
    assert bulk.main(["off", NAME]) == 1
    assert "NEEDLE_QDRANT_URL names none" in capsys.readouterr().err


def test_bulk_mode_that_is_to_end_by_itself_is_noted_until_it_is_said_otherwise(
    settings: Settings,
    engine: Engine,
    redis: Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NEEDLE_QDRANT_URL", str(settings.qdrant_url))
    monkeypatch.setenv("NEEDLE_REDIS_URL", settings.redis_url)
    catalogue, store = Catalogue(redis), VectorStore(engine)
    assert bulk.main(["on", "nowhere", "--until-idle"]) == 1
    store.ensure_collection(NAME, DIM)
    assert bulk.main(["on", NAME, "--until-idle"]) == 0
    assert "once nothing has come for 300 s" in capsys.readouterr().out
    assert catalogue.bulk_ends() == {NAME: 300.0}
    assert bulk.main(["on", NAME, "--until-idle", "60"]) == 0
    assert catalogue.bulk_ends() == {NAME: 60.0}
    for words in (["on", NAME], ["off", NAME]):
        catalogue.end_bulk_when_idle(NAME, 60)
        assert bulk.main(words) == 0
        assert catalogue.bulk_ends() == {}
    for wrong in (["off", NAME, "--until-idle"], *(["on", NAME, "--until-idle", w] for w in "x1")):
        with pytest.raises(SystemExit):
            bulk.main(wrong)
    assert "no number of seconds from 10 on" in capsys.readouterr().err
    catalogue.end_bulk_when_idle(NAME, 60)
    monkeypatch.setenv("NEEDLE_QDRANT_URL", "http://127.0.0.1:1")
    assert bulk.main(["on", NAME]) == 1
    assert catalogue.bulk_ends() == {NAME: 60.0}, "what failed changes nothing"
    monkeypatch.setenv("NEEDLE_QDRANT_URL", str(settings.qdrant_url))
    monkeypatch.setenv("NEEDLE_REDIS_URL", "redis://127.0.0.1:1/0")
    assert bulk.main(["on", NAME, "--until-idle"]) == 1
    assert not store.state(NAME).deferred, "nothing is changed where it could not be ended"
