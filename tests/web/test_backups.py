"""Backups: a job, one file that is fetched, and who may."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from common import backups
from common.contract.answers import BackedUp
from common.keys import Keys, Scope
from common.services import Services
from common.settings import Settings

Tasks = Callable[[str], list[dict[str, Any]]]
URL = "/api/v1/backups"


@pytest.fixture
def made(client: FlaskClient, services: Services, tasks: Tasks) -> str:
    """Return the job of a backup that was made."""
    answer = client.post(URL)
    job_id = str(answer.json["job_id"])
    assert answer.status_code == 202 and tasks("upkeep") == [{"job_id": job_id}]
    assert client.get(f"{URL}/{job_id}").status_code == 404  # not yet
    folder = services.settings.data_dir / backups.folder_of(job_id)
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "photo").write_bytes(bytes(3_000_000))
    for name in (backups.HEAD, backups.REDIS, backups.COMPLETE):
        (folder / name).write_bytes(b"{}")
    services.jobs.start(job_id)
    result = BackedUp(images=1, collections=1, has_vectors=True)
    services.jobs.succeed(job_id, result.model_dump(mode="json"))
    return job_id


def test_it_is_fetched_as_one_file_and_removed(client: FlaskClient, made: str) -> None:
    assert client.get(f"/api/v1/jobs/{made}").json["result"]["images"] == 1
    answer = client.get(f"{URL}/{made}")
    assert (answer.status_code, answer.mimetype) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(answer.data)) as tar:
        names = tar.getnames()
        assert names[0] == backups.HEAD and names[-1] == backups.COMPLETE
        assert set(names[1:-1]) == {backups.REDIS, "images/photo"}
        assert tar.getmember("images/photo").size == 3_000_000
    assert client.delete(f"{URL}/{made}").status_code == 204
    assert client.get(f"{URL}/{made}").status_code == 404


def test_who_leaves_in_the_middle_leaves_no_thread_behind(client: FlaskClient, made: str) -> None:
    answer = client.get(f"{URL}/{made}", buffered=False)
    next(answer.iter_encoded())
    answer.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("backup")]


def test_what_is_no_backup_is_a_404(client: FlaskClient, services: Services, made: str) -> None:
    services.catalogue.bind("c", encoder="e", dim=4)
    other = client.post("/api/v1/collections/c/verify", json={}).json["job_id"]
    for name in ("nothing", "..", other):
        assert client.get(f"{URL}/{name}").status_code == 404
        assert client.delete(f"{URL}/{name}").status_code == 404
    assert Path(services.settings.data_dir).exists()


def test_only_an_admin_may_even_read_it(client: FlaskClient, settings: Settings, made: str) -> None:
    for scope, status in ((Scope.READ, 403), (Scope.WRITE, 403), (Scope.ADMIN, 200)):
        _, text = Keys(settings.data_dir).make(scope.value, scope)
        headers = {"Authorization": f"Bearer {text}"}
        assert client.get(f"{URL}/{made}", headers=headers).status_code == status
        if scope is not Scope.ADMIN:
            assert client.post(URL, headers=headers).status_code == 403
