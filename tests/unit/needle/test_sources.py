"""What the words after `needle index` name, and images in archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from needle import archives, sources
from needle.sources import Sources


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with images, one of them deeper, that is the current one."""
    (tmp_path / "shots" / "day").mkdir(parents=True)
    for name in ("a.jpg", "shots/b.jpg", "shots/day/c.png", "shots/notes.md"):
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def tarred(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return path


def names(found: Sources) -> list[str]:
    return [path.name for path in found.images]


def test_a_word_may_be_a_folder_a_file_a_pattern_or_a_url(folder: Path) -> None:
    assert names(sources.find(["shots"])) == ["b.jpg", "c.png"]
    assert names(sources.find(["shots"], recursive=False)) == ["b.jpg"]
    assert names(sources.find(["shots/notes.md"])) == ["notes.md"], "what is named is sent"
    assert names(sources.find(["**/*.jpg"])) == ["a.jpg", "b.jpg"]
    found = sources.find(["a.jpg", "https://x/y.jpg"])
    assert (names(found), found.urls, found.count()) == (["a.jpg"], ("https://x/y.jpg",), 2)


def test_a_list_holds_words_a_line_each(folder: Path) -> None:
    (folder / "list.txt").write_text("# images\na.jpg\n\nhttp://x/y.jpg\nshots\n")
    found = sources.find(["list.txt"])
    assert names(found) == ["a.jpg", "b.jpg", "c.png"] and found.urls == ("http://x/y.jpg",)
    assert names(sources.find(["-"], stdin=lambda: "a.jpg\n")) == ["a.jpg"]
    assert names(sources.find(["-"], stdin=lambda: "a.jpg\0shots/b.jpg\0")) == ["a.jpg", "b.jpg"]
    (folder / "list.txt").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ValueError, match="is no list"):
        sources.find(["list.txt"])


@pytest.mark.parametrize(
    ("word", "sentence"),
    [("nowhere", "no file or folder nowhere"), ("*.gif", r"Nothing matches \*.gif")],
)
def test_a_word_that_names_nothing_is_an_error(folder: Path, word: str, sentence: str) -> None:
    with pytest.raises(FileNotFoundError, match=sentence):
        sources.find([word])


def test_archives_give_their_images_one_by_one(folder: Path) -> None:
    inside = ("x/one.jpg", "two.PNG", "notes.txt", ".hidden.jpg", "__MACOSX/three.jpg", ".d/e.jpg")
    found = sources.find([str(zipped(folder / "a.zip", *inside)), "a.jpg"])
    assert found.count() == 3
    found += sources.find([str(tarred(folder / "b.tgz", *inside))])
    assert found.count() == 3, "a tar has no list of what it holds"
    uploads = list(found.uploads(lambda *fault: pytest.fail(str(fault))))
    assert [file.name for file in uploads] == [
        "a.jpg",
        *("one.jpg", "two.PNG"),
        *("one.jpg", "two.PNG"),
    ]
    assert uploads[1].content == b"x/one.jpg" and uploads[1].size == 9


def test_what_cannot_be_read_is_told_and_left_out(folder: Path) -> None:
    whole = zipped(folder / "a.zip", "one.jpg", "two.jpg").read_bytes()
    (folder / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.tgz").write_bytes(tarred(folder / "b.tgz", "one.jpg").read_bytes()[:40])
    found = sources.find(["a.jpg", "cut.zip", "cut.tgz", "shots/b.jpg"])
    (folder / "a.jpg").unlink()
    faults: list[tuple[str, str]] = []
    uploads = list(found.uploads(lambda name, reason: faults.append((name, reason))))
    assert [file.name for file in uploads] == ["b.jpg"]
    assert [name for name, _ in faults] == ["a.jpg", "cut.zip", "cut.tgz"]
    assert "No such file" in faults[0][1] and "is damaged" in faults[1][1]
    assert archives.count(folder / "cut.zip") == 0
