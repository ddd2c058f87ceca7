"""Backups of a running service, and damage found and repaired, with the real processes."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from common.errors import BackupBroken
from machine.restoring import restore
from machine.stack import Stack
from needle import Needle, cli
from tests.conftest import free_port
from tests.end_to_end.conftest import write_scenes

ENV = {"NEEDLE_REGIONS_PER_IMAGE": "60", "NEEDLE_CHUNK_SIZE": "2"}
HALF = 6


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return photos; half of them are indexed before the backup, half while it is made."""
    return write_scenes(tmp_path_factory.mktemp("photos"), range(300, 300 + 2 * HALF))


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory, scenes: list[Path]) -> Path:
    """Return a backup that was made in the middle of an ingest."""
    folder = tmp_path_factory.mktemp("first")
    target = folder.with_name("needle.tar")
    with Stack(ENV, data_dir=folder, port=free_port()) as stack, Needle(stack.base_url) as needle:
        stack.wait_ready(120)
        needle.wait(needle.index(scenes[:HALF], metadata={"shop": "Basel"}), timeout_s=120)
        under_way = needle.index(scenes[HALF:])
        made = needle.backup(target)
        assert made["has_vectors"] and made["images"] >= HALF
        assert needle.wait(under_way, timeout_s=120).status == "succeeded"
        assert not list((folder / "backups").iterdir())  # fetched, it is removed
        (listed,) = needle.jobs(kind="backup")
        assert listed.status == "succeeded"
    assert target.stat().st_mode & 0o077 == 0
    return target


def test_a_backup_of_a_running_service_is_restored_as_it_was(
    backup: Path, scenes: list[Path], tmp_path: Path
) -> None:
    head = restore(backup, tmp_path / "again", {})
    assert head.images >= HALF
    with Stack(ENV, data_dir=tmp_path / "again", port=free_port()) as stack:
        stack.wait_ready(120)
        with Needle(stack.base_url) as needle:
            assert not list(needle.jobs(kind="backup"))  # it is not made a second time
            for job in needle.jobs(kind="index"):  # what was under way goes on
                assert needle.wait(job, timeout_s=120).status == "succeeded"
            assert needle.count() == len(scenes)
            found = needle.search(scenes[3], filter={"shop": "Basel"}).matches[0]
            assert found.filename == scenes[3].name
            verified = needle.verify()
            assert verified.sound and verified.whole == len(scenes) and not verified.waiting


def test_vectors_that_were_removed_are_made_again(backup: Path, tmp_path: Path) -> None:
    data = tmp_path / "again"
    assert cli.main(["restore", str(backup), "--data", str(data)]) == cli.ExitCode.OK
    for name in ("vectors", "words"):
        shutil.rmtree(data / name)
    with Stack(ENV, data_dir=data, port=free_port()) as stack:
        stack.wait_ready(120)
        with Needle(stack.base_url) as needle:
            for job in needle.jobs(kind="index"):
                needle.wait(job, timeout_s=120)
            found = needle.verify()
            assert found.missing["points"] >= HALF and not found.good
            repaired = needle.verify(repair=True)
            assert repaired.good and repaired.repaired is not None
            assert needle.verify().sound


def test_what_is_no_whole_backup_is_refused_and_leaves_nothing(
    backup: Path, tmp_path: Path
) -> None:
    data, file = tmp_path / "again", tmp_path / "cut.tar"
    content = backup.read_bytes()
    file.write_bytes(content[: len(content) // 2 // 512 * 512])
    with pytest.raises(BackupBroken):
        restore(file, data, {})
    with tarfile.open(file, "w") as tar:
        tar.add(__file__, arcname="backup.json")
    with pytest.raises(BackupBroken, match="no backup"):
        restore(file, data, {})
    assert [path.name for path in tmp_path.iterdir()] == ["cut.tar"]
    data.mkdir()
    (data / "something").touch()
    with pytest.raises(BackupBroken, match="not empty"):
        restore(backup, data, {})
