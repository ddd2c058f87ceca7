"""The same images posted, indexed, deleted and cancelled at once: what is listed is whole, and what
is not listed has left nothing."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.datastructures import FileStorage

from common.catalogue import Catalogue
from common.contract.orders import DeleteOrder
from common.contract.requests import IndexFields
from common.errors import NeedleError, NotFound
from common.images import image_folder, image_key, local_key, regions_key, thumbnail_key
from common.jobs import Item, Kind
from tests.textures import texture
from tests.worker.conftest import World, png
from web import ingest
from web.removal import remove
from worker.removal import delete_some, sweep
from worker.tasks import run_index

FILES = (image_key, thumbnail_key, local_key, regions_key)
PATIENCE_S = 0.5
"""How long another is given to get in between; one that waits for its turn does not."""


@pytest.fixture(autouse=True)
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client that posts stay, whoever asks: there is no request."""
    monkeypatch.setattr(ingest, "client_is_there", lambda: True)


def post(world: World, *contents: bytes) -> str:
    """Do what `POST /images` does; return the job."""
    job_id = uuid4().hex
    files = [FileStorage(io.BytesIO(content), "a.png") for content in contents]
    ingest.ingest_files(world.base, files, IndexFields(), job_id)
    return job_id


def index(world: World, job_id: str) -> None:
    run_index(world.base, world.indexing, job_id, range(world.base.jobs.get(job_id).total))


def delete(world: World, image_id: str) -> Callable[[], None]:
    """Do what `DELETE /images/ID` does; return its task."""
    remove(world.base, world.base.catalogue.get("default", image_id))
    return lambda: world.writer.discard("default", image_id)


def is_whole(world: World, image_id: str) -> None:
    """Check that an image is listed with all that belongs to it, or not there at all."""
    base = world.base
    files = [base.images.exists(key("default", image_id)) for key in FILES]
    record = base.catalogue.find("default", [image_id]).get(image_id)
    if record is None:
        assert not Path(base.settings.data_dir, image_folder("default", image_id)).exists()
        assert world.regions(image_id) == []
    elif record.indexed_at is None:
        assert files[0], "what waits to be indexed has its file"
    else:
        assert all(files), files
        assert len(world.regions(image_id)) == record.regions > 0


class Between:
    """Has something done by another thread right after a call of a method, once."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: type, method: str) -> None:
        self.act: Callable[[], Any] | None = None
        self.thread = threading.Thread(target=lambda: None)
        own = getattr(owner, method)

        def called(*args: Any, **named: Any) -> Any:
            result = own(*args, **named)
            act, self.act = self.act, None
            if act is not None:
                self.thread = threading.Thread(target=act)
                self.thread.start()
                self.thread.join(PATIENCE_S)
            return result

        patch.setattr(owner, method, called)


def test_an_image_posted_and_indexed_while_its_deletion_is_at_work_is_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = png(texture(1))
    index(world, first := post(world, content))
    image_id = str(world.base.jobs.items(first, offset=0, limit=1)[0].image_id)
    task = delete(world, image_id)
    between = Between(monkeypatch, Catalogue, "find")  # asked whether it is wanted: no
    between.act = lambda: index(world, post(world, content))
    task()
    between.thread.join()
    is_whole(world, image_id)
    assert world.base.catalogue.count("default") == 1


def test_an_image_posted_while_a_commit_drops_it_keeps_its_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = png(texture(1))
    job_id = post(world, content)
    image_id = str(world.base.jobs.items(job_id, offset=0, limit=1)[0].image_id)
    again: list[str] = []
    dropping = Between(monkeypatch, Catalogue, "find")

    def deleted() -> None:
        remove(world.base, world.base.catalogue.get("default", image_id))
        dropping.act = lambda: again.append(post(world, content))

    between = Between(monkeypatch, type(world.writer.words), "put")
    between.act = deleted
    index(world, job_id)
    dropping.thread.join()
    is_whole(world, image_id)
    index(world, again[0])
    is_whole(world, image_id)
    assert world.base.catalogue.count("default") == 1


def test_a_commit_while_its_collection_is_deleted_brings_nothing_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = post(world, png(texture(1)))
    image_id = str(world.base.jobs.items(job_id, offset=0, limit=1)[0].image_id)
    items = [Item(0, "default")]
    order = DeleteOrder(collection="default", whole=True)
    world.base.jobs.create("gone", Kind.DELETE, items, order.details())
    world.base.catalogue.begin_deleting("default", "gone")

    def gone() -> None:
        world.base.jobs.cancel(job_id)
        delete_some(world.writer, "gone", "default", 0)

    between = Between(monkeypatch, type(world.writer.store), "ensure_collection")
    between.act = gone
    index(world, job_id)
    between.thread.join()
    is_whole(world, image_id)
    assert world.base.catalogue.collections() == []
    assert world.writer.store.count("default") == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_all_at_once_at_random(world: World, seed: int) -> None:
    contents = [png(texture(n, (160, 120))) for n in range(3)]
    ids = {str(world.base.jobs.items(post(world, c), offset=0, limit=1)[0].image_id)
           for c in contents}  # fmt: skip
    faults: list[BaseException] = []

    def at_random(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        try:
            for _ in range(12):
                if chance.random() < 0.6:
                    job_id = post(world, *chance.sample(contents, 2))
                    if chance.random() < 0.3:
                        world.base.jobs.cancel(job_id)
                        sweep(world.base, job_id)
                    else:
                        index(world, job_id)
                else:
                    try:
                        delete(world, chance.choice(sorted(ids)))()
                    except NotFound:
                        continue
        except (NeedleError, AssertionError) as error:
            faults.append(error)

    threads = [threading.Thread(target=at_random, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    for image_id in ids:
        is_whole(world, image_id)
