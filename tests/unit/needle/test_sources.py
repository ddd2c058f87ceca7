"""What the words after `needle index` name, and images in archives."""

from __future__ import annotations

import io
import os
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from needle import archives, sources
from needle.sources import Sources

REPO = Path(__file__).resolve().parents[3]


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


def test_a_line_of_a_list_that_names_nothing_does_not_stop_the_others(folder: Path) -> None:
    odd = ["gone.jpg", "*.gif", "~nobody-of-that-name/a.jpg", "b" * 300]
    found = sources.find(["-"], stdin=lambda: "\n".join(["a.jpg", *odd, "http://x/y.jpg"]))
    assert names(found) == ["a.jpg"] and found.urls == ("http://x/y.jpg",) and found.count() == 6
    faults: list[tuple[str, str]] = []
    assert len(list(found.uploads(lambda *fault: faults.append(fault)))) == 1
    assert [name for name, _ in faults] == odd and all(reason for _, reason in faults)
    assert "no file or folder gone.jpg" in faults[0][1]
    (url,) = sources.find(["-"], stdin=lambda: os.fsdecode(b"http://x/caf\xe9.jpg")).urls
    assert url == "http://x/caf\N{REPLACEMENT CHARACTER}.jpg", "what JSON can hold"


def test_a_list_that_names_itself_is_read_once(folder: Path) -> None:
    (folder / "one.txt").write_text("a.jpg\none.txt\ntwo.txt\n")
    (folder / "two.txt").write_text("shots/b.jpg\n*.txt\n")
    found = sources.find(["one.txt"])
    assert [path.name for path in found.images] == ["a.jpg", "b.jpg"]
    assert {word for word, _ in found.absent} == {"one.txt", "two.txt"}
    assert all("names itself" in reason for _, reason in found.absent)


def test_a_list_is_read_in_time_that_grows_with_its_lines() -> None:
    """Not with their square: a list may have millions."""

    def seconds(lines: int) -> float:
        text = "\n".join(f"https://data.example/{n}.jpg" for n in range(lines))
        began = time.process_time()
        assert len(sources.find(["-"], stdin=lambda: text).urls) == lines
        return time.process_time() - began

    least = min(seconds(4_000) for _ in range(3))
    assert seconds(40_000) < 25 * least, "ten times as many: it was fifty times as long"


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
    more = sources.find([str(tarred(folder / "b.tgz", *inside))])
    found = Sources.together([found, more])
    assert found.count() == 3, "a tar has no list of what it holds"
    uploads = list(found.uploads(lambda *fault: pytest.fail(str(fault))))
    assert [file.name for file in uploads] == [
        "a.jpg",
        *("x/one.jpg", "two.PNG"),
        *("x/one.jpg", "two.PNG"),
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
    assert [file.name for file in uploads] == ["shots/b.jpg"]
    assert [name for name, _ in faults] == ["a.jpg", "cut.zip", "cut.tgz"]
    assert "No such file" in faults[0][1] and faults[1][1].endswith("is damaged, or is none.")
    assert archives.count(folder / "cut.zip") == 0


def test_a_file_is_called_by_its_path_from_the_folder_on_that_was_named(folder: Path) -> None:
    def called(*words: str) -> list[str]:
        found = sources.find(words)
        return [file.name for file in found.uploads(lambda *fault: pytest.fail(str(fault)))]

    home = folder.name
    assert called("shots") == ["shots/b.jpg", "shots/day/c.png"]
    assert called(str(folder / "shots")) == ["shots/b.jpg", "shots/day/c.png"]
    assert called("shots/day/c.png", "a.jpg") == ["shots/day/c.png", "a.jpg"]
    assert called(str(folder / "a.jpg")) == [f"{home}/a.jpg"]
    assert called(".") == ["a.jpg", "shots/b.jpg", "shots/day/c.png"]


def test_what_is_no_image_is_counted_by_its_ending_and_litter_is_not(folder: Path) -> None:
    for name in ("b.PDF", "c.pdf", "clip.mov", "README", "Thumbs.db", ".DS_Store", "._a.jpg"):
        (folder / "shots" / name).write_bytes(b"x")
    found = sources.find(["shots"])
    assert found.left_out == {".pdf": 2, ".md": 1, ".mov": 1, "without an ending": 1}
    inside = ("x/one.jpg", "x/notes.txt", "x/Thumbs.db", "__MACOSX/x/a.txt", "x/", "b.heic")
    told: list[str] = []
    for path in (zipped(folder / "a.zip", *inside), tarred(folder / "b.tgz", *inside)):
        kept = [file.name for file in archives.members(path, told.append)]
        assert kept == ["x/one.jpg", "b.heic"]
    assert told == ["notes.txt", "notes.txt"]


def test_names_of_an_archive_that_does_not_say_how_they_are_written(shared: Path) -> None:
    packed = shared / "data" / "cases" / "zip-shift-jis" / "sjis.zip"
    assert [file.name for file in archives.members(packed)] == [
        "アルバム/表示ソース.jpg",
        "アルバム/富士山.jpg",
    ]


def test_client_and_service_read_the_names_of_archives_alike() -> None:
    here, there = (Path(REPO, folder, "zip_names.py").read_text() for folder in ("needle", "web"))
    assert here == there, "neither may import the other"


def test_a_range_names_each_of_its_files(tmp_path: Path) -> None:
    for number in (8, 9, 10):
        (tmp_path / f"shard-{number:03}.tar").touch()
    found = sources.find([str(tmp_path / "shard-{008..010}.tar")])
    assert [path.name for path in found.archives] == [
        f"shard-{n}.tar" for n in ("008", "009", "010")
    ]
    with pytest.raises(FileNotFoundError):
        sources.find([str(tmp_path / "shard-{010..011}.tar")])
    with pytest.raises(ValueError, match="more than"):
        sources.find(["shard-{0..999999999}.tar"])


def test_a_range_may_be_of_urls_and_tar_archives_are_known_by_theirs() -> None:
    found = sources.find(
        ["https://x/shard-{08..10}.tar?a=b.jpg", "s3://b/{0..1}.tar", "http://x/a.tgz"]
    )
    shards = [f"https://x/shard-{n}.tar?a=b.jpg" for n in ("08", "09", "10")]
    assert found.shards == (*shards, "http://x/a.tgz") and not found.urls
    assert found.buckets == ("s3://b/0.tar", "s3://b/1.tar")
    assert sources.find(["http://x/a.jpg?of=b.tar"]).urls == ("http://x/a.jpg?of=b.tar",)
    assert not found.only([]) and Sources.together([found] * 2).shards == found.shards * 2


def test_a_bucket_is_left_to_the_service_to_list() -> None:
    found = sources.find(["s3://photos/2024"])
    assert found and found.buckets == ("s3://photos/2024",) and found.count() == 0
    one = sources.find(["s3://photos/2024/a.jpg"])
    assert one.urls == ("s3://photos/2024/a.jpg",) and not one.buckets, "nothing is to be listed"
