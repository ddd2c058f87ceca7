"""The journal of `needle index`: what it remembers, its ledger, and that it locks nobody out."""

from __future__ import annotations

import io
import os
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest

from needle import resume
from needle.bulk import Bulk
from needle.journal import Journal, JournalFault, state_file
from needle.sources import Sources, find
from needle.tally import ItemOutcome
from tests.unit.needle.fake_needle import FakeService
from tests.unit.needle.test_resume import URL, folder, journal, run, service

__all__ = ["folder", "journal", "service"]


def test_an_unchanged_file_is_not_read_again(journal: Journal, folder: Path) -> None:
    path = folder / "0.jpg"
    first = journal.image_id(path)
    journal.keep()
    state = path.stat()
    path.write_bytes(b"IMAGE 0")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert journal.image_id(path) == first, "same size and time: it is not read"
    os.utime(path, ns=(0, 0))
    assert journal.image_id(path) != first


def test_the_journal_outlives_the_process_and_keeps_services_apart(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    first = Journal(path, URL, "a")
    first.sent("j1", ["x", "y"])
    first.ended("j0", {"http://u": "i"})
    first.close()
    again, other, elsewhere = (
        Journal(path, URL, "a"),
        Journal(path, URL, "b"),
        Journal(path, "http://other", "a"),
    )
    assert again.open_jobs() == {"j1": ["x", "y"]} and again.url_image("http://u") == "i"
    assert other.open_jobs() == {} and other.recent_jobs(5) == ["j1"]
    assert elsewhere.recent_jobs(5) == [] and elsewhere.url_image("http://u") is None
    for each in (again, other, elsewhere):
        each.close()


def test_a_journal_that_cannot_be_opened_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "j.sqlite").write_bytes(b"this is no database at all" * 9)
    with pytest.raises(OSError, match="cannot be used"):
        Journal(tmp_path / "j.sqlite", URL, None)
    assert state_file({"XDG_STATE_HOME": "/s"}) == Path("/s/needle/client.sqlite")
    assert state_file({}).parts[-4:] == (".local", "state", "needle", "client.sqlite")


def test_no_wait_leaves_the_journal_locked_and_what_was_noted_is_kept(
    service: FakeService, journal: Journal, folder: Path, tmp_path: Path
) -> None:
    path, sources = tmp_path / "state" / "j.sqlite", find([str(folder)])
    run(service, journal, sources)
    journal.sent(service._new_job("index", [])["job_id"], [])
    again, other = Journal(path, URL, None), sqlite3.connect(path, timeout=0)
    kept: list[int] = []

    def look() -> None:
        with other:
            other.execute("BEGIN IMMEDIATE")
            kept.append(
                other.execute(
                    "SELECT count(*) FROM outcomes WHERE run = ?", (again._run,)
                ).fetchone()[0]
            )

    def asked(request: httpx.Request) -> None:
        if "/jobs/" in request.url.path:
            look()
        service.busy = not kept or not kept[-1]

    service.busy, service.before = True, asked
    assert run(service, again, sources).skipped == 6
    assert kept[-1] == 6, "what was skipped is kept before a job is waited for"
    (folder / "0.jpg").unlink()
    again.close()
    again = Journal(path, URL, None)
    run(service, again, find([str(folder)]))
    look()
    assert kept[-1] == 5, "and at the end of a run, after which a folder may be watched"
    again.close()
    other.close()


def test_a_journal_that_another_holds_is_said_in_a_sentence_and_is_no_images_fault(
    service: FakeService, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("needle.journal.BUSY_S", 0)
    monkeypatch.setattr("needle.journal.KEEP_EVERY_S", 0)
    mine = Journal(tmp_path / "j.sqlite", URL, None)
    other = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OSError, match="another command has held it"):
        Journal(tmp_path / "j.sqlite", URL, None)
    with pytest.raises(JournalFault, match="another command has held it"):
        run(service, mine, find([str(folder)]))
    other.close()
    assert list(mine.outcomes()) == [] and not service.uploads
    mine.close()


# ---- what became of each image


def table(journal: Journal) -> list[tuple[str, str]]:
    return [(row["name"], row["status"]) for row in journal.outcomes()]


def pack(path: Path, **members: bytes) -> Path:
    """Make a zip archive."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.jpg", content)
    return path


def test_images_of_one_name_in_several_archives_and_folders_are_told_apart(
    service: FakeService, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pack(Path("a.zip"), one=b"bad", two=b"2")
    pack(Path("b.zip"), one=b"1", two=b"bad, too")
    pack(Path("x/c.zip"), one=b"bad alone")
    for parent, content in (("x", b"bad once more"), ("y", b"3")):
        Path(parent, "images").mkdir(parents=True)
        Path(parent, "images", "one.jpg").write_bytes(content)
    words = ["a.zip", "b.zip", "x/images", "y/images", "x/c.zip"]
    monkeypatch.setattr(resume, "REQUEST_FILES", 6)
    run(service, journal, find(words))
    assert len(service.uploads) == 1, "the last has no job"
    wanted = [
        ("a.zip/one.jpg", "failed"),
        ("a.zip/two.jpg", "indexed"),
        ("b.zip/one.jpg", "indexed"),
        ("b.zip/two.jpg", "failed"),
        ("x/c.zip/one.jpg", "failed"),
        ("x/images/one.jpg", "failed"),
        ("y/images/one.jpg", "indexed"),
    ]
    assert table(journal) == wanted
    run(service, journal, find(words))
    assert table(journal) == wanted, "an attempt of the same item replaces its failure alone"


def test_images_of_one_name_in_one_archive_are_told_apart(
    service: FakeService, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with tarfile.open("a.tar", "w") as tar:
        for content in (b"bad", b"1", b"2", b"bad again"):
            member = tarfile.TarInfo("one.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    wanted = [
        ("a.tar/one.jpg", "failed"),
        ("a.tar/one.jpg (2)", "indexed"),
        ("a.tar/one.jpg (3)", "indexed"),
        ("a.tar/one.jpg (4)", "failed"),
    ]
    run(service, journal, find(["a.tar"]))
    assert table(journal) == wanted
    run(service, journal, find(["a.tar"]))
    assert table(journal) == wanted, "a run that goes on calls them the same"


def test_where_images_of_a_job_of_an_earlier_run_are_is_remembered(
    service: FakeService, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sources = find([str(pack(Path("a.zip"), one=b"bad", two=b"2"))])
    service.busy = True

    def pressed(bulk: Bulk) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bulk, "_wait_for_oldest", pressed)
        with pytest.raises(KeyboardInterrupt):
            run(service, journal, sources)
    service.finish("index-0")
    Path("a.zip").unlink()
    run(service, journal, Sources())
    assert table(journal) == [("a.zip/one.jpg", "failed"), ("a.zip/two.jpg", "indexed")]


def test_a_failure_is_forgotten_once_the_same_image_is_indexed(journal: Journal) -> None:
    journal.became(
        [ItemOutcome("a.jpg", "failed", "old", "It was cut."), ItemOutcome("b", "failed")]
    )
    journal.became([ItemOutcome("a.jpg", "indexed", "new")])
    journal.had("b", "there")
    assert table(journal) == [("a.jpg", "indexed"), ("b", "unchanged")]


def test_a_damaged_archive_whose_name_is_no_utf_8_is_one_failure(
    service: FakeService, journal: Journal, folder: Path
) -> None:
    damaged = folder / os.fsdecode(b"caf\xe9.zip")
    damaged.write_bytes(b"no archive")
    run(service, journal, find([str(damaged)]))
    (row,) = journal.outcomes()
    assert row["name"].endswith("/caf\N{REPLACEMENT CHARACTER}.zip") and "damaged" in row["reason"]


def test_archives_of_one_name_that_cannot_be_read_are_two(
    service: FakeService, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for parent in ("a", "b"):
        Path(parent).mkdir()
        Path(parent, "s.zip").write_bytes(b"no archive")
    run(service, journal, find(["a/s.zip", "b/s.zip"]))
    assert table(journal) == [("a/s.zip", "failed"), ("b/s.zip", "failed")]
