"""A client that openapi-python-client makes of `/openapi.json` speaks with the service."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from common.catalogue import ImageRecord
from common.services import Services
from common.settings import Settings
from tests.web.conftest import plain
from web.app import create_app

CONFIG = Path(__file__).with_name("openapi_client.yml")
HIT = {"box": [1, 2, 3, 4], "score": 0.9, "source": "tile", "label": None, "confidence": None}
MATCH = {
    "image_id": "image-1", "score": 0.9, "distance": 0.1, "filename": "a.jpg", "width": 60,
    "height": 40, "metadata": {"shop": "Basel"}, "hits": [HIT], "likeness": "thing",
}  # fmt: skip


def _generator() -> list[str]:
    """Return the command: that of this environment, or that of NEEDLE_TEST_OPENAPI_CLIENT."""
    other = os.environ.get("NEEDLE_TEST_OPENAPI_CLIENT")
    if other:
        return [other]
    if find_spec("openapi_python_client") is None:
        pytest.skip("openapi-python-client is not installed")
    return [sys.executable, "-m", "openapi_python_client"]


class Generated:
    """The generated package; `of("api.search.search_post")` is one of its modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.folder.name}.{name}")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    """Generate the client; any warning is a failure."""
    pytest.importorskip("attrs")
    folder = tmp_path_factory.mktemp("generated")
    app = create_app(Settings(data_dir=folder, redis_url="unix:///nowhere"))
    document = folder / "openapi.json"
    document.write_bytes(app.test_client().get("/openapi.json").data)
    package = folder / "needle_generated"
    words = ["generate", "--path", document, "--config", CONFIG, "--meta", "none"]
    command = [*_generator(), *map(str, words), "--output-path", str(package), "--fail-on-warning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    sys.path.insert(0, str(folder))
    try:
        yield Generated(package)
    finally:
        sys.path.remove(str(folder))


@pytest.fixture
def client(generated: Generated, app: Flask) -> Iterator[Any]:
    """Return a generated client of the application, which is served on a real port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    client = generated.of("client").Client(base_url=f"http://127.0.0.1:{server.port}")
    with client:
        yield client
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_search_is_posted_and_its_job_is_polled(
    generated: Generated, client: Any, services: Services, indexed: ImageRecord
) -> None:
    models = generated.of("models")
    unwanted = models.ImageExample(image_id=indexed.image_id, box=[0, 0, 9, 9])
    body = models.SearchRequest(
        image_id=indexed.image_id, box=[0, 0, 30, 20], same_kind=0.5, limit=5, wait=0,
        negatives=[unwanted], filter_=models.Filter.from_dict({"shop": "Basel"}),
    )  # fmt: skip
    job = generated.of("api.search.search_post").sync(client=client, body=body)
    assert (type(job), job.status) == (models.Job, models.Status.QUEUED)
    services.jobs.succeed(job.job_id, {"matches": [MATCH], "found": True})
    show = generated.of("api.jobs.jobs_show")
    result = show.sync(job.job_id, client=client, wait=5).result
    assert isinstance(result, models.SearchResult)
    assert (result.found, result.query.same_kind, result.query.box) == (True, 0.5, [0, 0, 30, 20])
    assert result.query.negatives[0].image_id == indexed.image_id
    (match,) = result.matches
    assert match.metadata.to_dict() == {"shop": "Basel"}
    assert match.hits[0].source is models.HitSource.TILE
    files = generated.of("api.files.files_file")
    assert files.sync_detailed(match.image_id, client=client).content[:3] == b"\xff\xd8\xff"


def test_files_and_boxes_go_as_a_form(
    generated: Generated, client: Any, services: Services, indexed: ImageRecord
) -> None:
    models, types = generated.of("models"), generated.of("types")
    query = types.File(payload=io.BytesIO(plain(1)), file_name="q.png", mime_type="image/png")
    examples = [models.ImageExample(image_id=indexed.image_id, box=[0, 0, 9, 9])] * 2
    form = models.SearchForm(
        file=[query], box=[1, 2, 11, 12], examples=examples, negatives=examples[:1], rotate=True,
        wait=0, filter_=models.Filter.from_dict({"year": {"gte": 2020}}),
    )  # fmt: skip
    job = generated.of("api.search.search_post").sync(client=client, body=form)
    assert isinstance(job, models.Job), job
    services.jobs.succeed(job.job_id, {"matches": []})
    query = generated.of("api.jobs.jobs_show").sync(job.job_id, client=client).result.query
    assert (query.filename, query.box, query.rotate) == ("q.png", [1, 2, 11, 12], True)
    assert (len(query.examples), len(query.negatives)) == (2, 1)


def test_images_are_posted_and_listed(generated: Generated, client: Any) -> None:
    models, types = generated.of("models"), generated.of("types")
    image = types.File(payload=io.BytesIO(plain(2)), file_name="a.png", mime_type="image/png")
    form = models.IndexForm(files=[image], profile=models.Profile.FAST)
    job = generated.of("api.images.images_post").sync(client=client, body=form)
    assert (job.kind, job.progress.total) == (models.Kind.INDEX, 1)
    page = generated.of("api.jobs.jobs_items").sync(job.job_id, client=client)
    (item,) = page.items
    assert (item.name, item.status) == ("a.png", models.ItemStatus.QUEUED)
    assert generated.of("api.images.images_index").sync(client=client, limit=3).total == 0


def test_a_refusal_is_the_one_error(generated: Generated, client: Any) -> None:
    found = generated.of("api.jobs.jobs_show").sync("nothing", client=client)
    assert (type(found), found.error.code) == (generated.of("models").Error, "not_found")
