"""Tar archives that are not on this machine: by their URL, and in a bucket."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from needle import remote
from needle.errors import NeedleApiError
from needle.journal import Journal
from needle.listings import StoredObject
from needle.sources import Sources, find
from needle.tally import Outcome
from tests.unit.needle.fake_needle import FakeService, error
from tests.unit.needle.test_resume import run

URL = "https://data.example/shard-000.tar"
FILES = {f"{n:04}.jpg": b"image %d " % n * 5000 for n in range(4)}


def packed(mode: str = "w") -> bytes:
    """Return a tar archive as WebDataset makes them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in {**FILES, "0000.json": b"{}"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Breaking(httpx.SyncByteStream):
    """A body that breaks off after so many bytes."""

    def __init__(self, content: bytes, most: int) -> None:
        self._content, self._most = content, most

    def __iter__(self) -> Iterator[bytes]:
        yield self._content[: self._most]
        if len(self._content) > self._most:
            raise httpx.ReadError("lost")


class Host:
    """Serves an archive; each answer breaks off after `most` bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.most, self.ranges = content, 10**9, True
        self.asked: list[str | None] = []
        self.busy: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(asked := request.headers.get("range"))
        if self.busy:
            return httpx.Response(self.busy.pop())
        first = int(asked.removeprefix("bytes=")[:-1]) if asked and self.ranges else 0
        body = Breaking(self.content[first:], self.most)
        return httpx.Response(206 if asked and self.ranges else 200, stream=body)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long each pause would have been."""
    pauses: list[float] = []
    monkeypatch.setattr(remote, "sleep", pauses.append)
    return pauses


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return what serves the archive to whoever downloads."""
    host = Host(packed())
    client = httpx.Client
    monkeypatch.setattr(remote, "http_client", lambda: client(transport=httpx.MockTransport(host)))
    return host


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Return a journal."""
    made = Journal(tmp_path / "j.sqlite", "http://needle:8080", None)
    yield made
    made.close()


def faults(service: FakeService, journal: Journal, sources: Sources) -> tuple[Outcome, list[str]]:
    """Index, and return what failed."""
    outcome = run(service, journal, sources)
    return outcome, [f"{failure.name}: {failure.reason}" for failure in outcome.failures]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_is_streamed_by_its_url_and_its_images_are_sent_once(
    host: Host, journal: Journal, mode: str
) -> None:
    host.content, service = packed(mode), FakeService()
    first = run(service, journal, find([URL]))
    assert (first.indexed, dict(first.left_out)) == (4, {".json": 1})
    assert sorted(service.files.values()) == sorted(FILES.values())
    again = run(service, journal, find([URL]))
    assert (again.indexed, again.skipped, len(service.uploads)) == (0, 4, 1)


def test_a_download_that_breaks_goes_on_where_it_was(host: Host, journal: Journal) -> None:
    host.most, service = 60_000, FakeService()
    assert run(service, journal, find([URL])).indexed == 4
    assert host.asked[:3] == [None, "bytes=60000-", "bytes=120000-"]
    assert sorted(service.files.values()) == sorted(FILES.values())


def test_a_server_that_is_busy_is_asked_again_after_longer_and_longer_pauses(
    host: Host, journal: Journal, slept: list[float]
) -> None:
    host.busy, service = [503, 429, 503], FakeService()
    assert run(service, journal, find([URL])).indexed == 4
    assert slept == [1.0, 2.0, 4.0]
    host.busy = [503] * 4
    _, said = faults(service, journal, find([URL]))
    assert len(said) == 1 and "status 503" in said[0] and host.busy == []


def test_what_cannot_be_downloaded_is_one_failure_and_the_rest_goes_on(
    host: Host, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = FakeService()
    host.most, host.ranges = 60_000, False
    outcome, said = faults(service, journal, find([URL]))
    assert outcome.indexed >= 1 and "does not go on where it was" in said[0]
    host.content = b"<html>no archive</html>" * 100
    host.most = 10**9
    _, said = faults(service, journal, find([URL]))
    assert said == [f"{URL}: The archive {URL} is damaged, or is none."]
    host.content = packed()[:70_000]
    _, said = faults(service, journal, find([URL]))
    assert "is damaged" in said[0]
    client = httpx.Client
    for answer, words in ((httpx.Response(404), "status 404"), (None, "cannot be downloaded")):

        def answered(_: httpx.Request, answer: httpx.Response | None = answer) -> httpx.Response:
            if answer is None:
                raise httpx.ConnectError("refused")
            return answer

        transport = httpx.MockTransport(answered)
        monkeypatch.setattr(remote, "http_client", lambda t=transport: client(transport=t))
        _, said = faults(service, journal, find([URL, "https://data.example/a.jpg"]))
        assert len(said) == 1 and said[0].startswith(f"{URL}: ") and words in said[0]


def test_archives_in_a_bucket_are_listed_by_the_service_and_what_is_in_them_is_sent_by_url(
    journal: Journal,
) -> None:
    service, home = FakeService(), "s3://photos/shards"
    inside = [f"{home}/0.tar#512+9/{name}" for name in ("a.jpg", "a.json", "b.png")]
    service.objects = {
        home: [f"{home}/0.tar", f"{home}/1.TAR", f"{home}/c.jpg", f"{home}/2.tar.gz"],
        f"{home}/0.tar/": inside,
    }
    outcome, said = faults(service, journal, find([home]))
    assert service.uploads == [[inside[0], inside[2], f"{home}/c.jpg"]]
    assert (outcome.indexed, dict(outcome.left_out)) == (3, {".json": 1})
    assert said[0] == f"{home}/1.TAR: It is fetch_failed."
    assert len(said) == 2 and said[1].startswith(f"{home}/2.tar.gz: It is compressed")
    assert "signed URL" in said[1], "the way out"
    again, _ = faults(service, journal, find([home]))
    assert (again.indexed, again.skipped) == (0, 3)


def test_archives_that_the_service_lists_nothing_of_are_left_out_and_told(journal: Journal) -> None:
    service, home = FakeService(), "s3://photos/shards"
    service.objects = {home: [f"{home}/0.tar", f"{home}/c.jpg"], f"{home}/0.tar/": []}
    outcome, said = faults(service, journal, find([home]))
    assert (outcome.indexed, dict(outcome.left_out), said) == (1, {".tar": 1}, [])


def test_an_archive_with_an_odd_key_is_told_and_the_rest_goes_on() -> None:
    odd = {"s3://photos/a\n.tar": 400, "s3://photos/../b.tar": 404, "s3://photos/c.tar": 422}
    objects = [StoredObject(url, 9) for url in (*odd, "s3://photos/d.jpg")]

    def listed(prefix: str) -> list[StoredObject]:
        if prefix == "s3://photos":
            return objects
        raise NeedleApiError(odd[prefix.rstrip("/")], "odd", f"not {prefix}")

    told: list[tuple[str, str]] = []
    found = list(remote.in_buckets(["s3://photos"], listed, lambda *fault: told.append(fault)))
    assert (found, told) == (objects[-1:], [(url, f"not {url}/") for url in odd])
    told.clear()  # a bucket may itself not be named
    words = ["s3://photos/c.tar", "s3://photos"]
    found = list(remote.in_buckets(words, listed, lambda *fault: told.append(fault)))
    assert found == objects[-1:] and told[0] == (words[0], f"not {words[0]}")
    odd["s3://photos/c.tar"] = 503
    with pytest.raises(NeedleApiError):
        list(remote.in_buckets(["s3://photos"], listed, lambda *_: None))


@pytest.mark.parametrize("bad", ["a\x01b.example/a.tar", "xn--/a.tar"])
def test_an_url_that_nobody_can_ask_for_is_one_failure(
    host: Host, journal: Journal, bad: str
) -> None:
    service = FakeService()
    outcome, said = faults(service, journal, find([f"http://{bad}", URL]))
    assert outcome.indexed == 4 and len(said) == 1
    assert said[0].startswith(f"http://{bad}: It cannot be downloaded: ")


def test_what_is_no_url_is_no_archive_and_does_not_end_a_list() -> None:
    found = find(["http://[x/a.tar", URL])
    assert (found.urls, found.shards) == (("http://[x/a.tar",), (URL,))


def test_a_bad_url_among_others_is_one_failure(host: Host, journal: Journal) -> None:
    """The service names those that are bad where all are; one before it refused every other too."""
    service, long = FakeService(), f"https://data.example/{'a' * 3000}.jpg"
    words = [f"https://data.example/{n}.jpg" for n in range(30)]
    words[7:7], words[20:20] = ["http://[x/a.tar"], [long]

    def refused(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET":
            return None
        urls = json.loads(request.content).get("urls", []) if b"urls" in request.content else []
        if long in urls:
            fault = {"field": f"urls.{urls.index(long)}", "reason": "is too long"}
            return error(400, "bad_request", fields=[fault])
        return error(400, "invalid_url") if any("[" in url for url in urls) else None

    service.before = refused
    outcome, said = faults(service, journal, find([*words, URL]))
    assert outcome.indexed == 30 + 4
    assert sorted(said) == ["http://[x/a.tar: It is invalid_url.", f"{long}: The URL is too long."]
    fields = [{"field": "metadata", "reason": "is odd"}, {"field": "urls.0", "reason": "is long"}]
    service.before = lambda r: error(400, "bad_request", fields=fields) if r.content else None
    with pytest.raises(NeedleApiError):  # of what goes with every image, not of one
        run(service, journal, find(["https://data.example/z.jpg"]))


def test_of_many_bad_urls_each_is_told_with_its_own_reason(host: Host, journal: Journal) -> None:
    service, words = FakeService(), [f"ftp{n}://data.example/a.jpg" for n in range(50)]

    def refused(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET":
            return None
        urls = json.loads(request.content)["urls"]
        listed = [{"name": url, "message": f"{url} is none."} for url in urls[:20]]
        return error(400, "invalid_url", items=listed)

    service.before = refused
    _, said = faults(service, journal, Sources(urls=tuple(words)))
    assert sorted(said) == sorted(f"{url}: {url} is none." for url in words)
