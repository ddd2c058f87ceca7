"""`needle search`: anything can be searched for, printed and drawn."""

from __future__ import annotations

import io
import json
from pathlib import Path

import click
import pytest
from rich.console import Console

from needle.cli import ExitCode
from needle.draw import open_upright
from needle.results import Hit, Match
from needle.sheet import WIDTH
from needle.show import matches_table
from tests.unit.needle.cli.conftest import Run, image
from tests.unit.needle.fake_needle import HIT, FakeService


@pytest.mark.usefixtures("indexed")
def test_a_search_prints_a_table_and_draws(run: Run) -> None:
    ended = run("search", "images/0.jpg", "--out", "result.png", terminal=True)
    assert ended.status == ExitCode.OK and "Drawn in result.png" in ended.err
    assert "10,10,40,30" in ended.out and "1.jpg" in ended.out
    assert open_upright("result.png").width == WIDTH


def test_a_search_says_it_in_json(run: Run, indexed: list[str]) -> None:
    found = run("search", "images/0.jpg", "--json").json
    assert [match["image_id"] for match in found["matches"]] == indexed
    assert found["job_id"] and found["timings_ms"] == {"total": 5.0}


def test_a_search_that_finds_nothing_ends_with_1(run: Run, service: FakeService) -> None:
    service.result = {"matches": []}
    ended = run("search", "images/0.jpg")
    assert ended.status == ExitCode.NOTHING and "Nothing was found" in ended.err
    assert ended.out.startswith("rank\t") and ended.out.count("\n") == 1


def test_a_narrow_terminal_shows_names_and_how_sure_it_is() -> None:
    hit = Hit(box=(1465, 1399, 1714, 1739), score=0.87, source="local", verified=True)
    facts = {"verified": True, "probability": 0.9957}
    match = Match("5e" * 16, 0.87, 0.13, "01-grocery.jpg", 2400, 1600, (hit,), **facts)
    with io.StringIO() as said_to:
        Console(width=80, file=said_to).print(matches_table([match], ids=True))
        said = said_to.getvalue()
    assert "grocery" in said and "over 99 %" in said and "1465,1399,1714,1739" in said
    assert "verified" in said and "…" not in said


@pytest.mark.parametrize(
    ("probabilities", "shown", "said"),
    [
        ([0.95, 0.004, 0.004], 1, "2 more look a little like it, under 1 % likely"),
        ([0.004] * 5, 3, "2 more look a little like it"),
        ([0.004] * 4, 3, "1 more looks a little like it"),
        ([0.95, 0.004, 0.4], 3, ""),
        ([None] * 5, 5, ""),
    ],
)
def test_people_are_shown_what_is_worth_a_look_and_programs_all(
    run: Run,
    service: FakeService,
    probabilities: list[float | None],
    shown: int,
    said: str,
) -> None:
    match = {"filename": "a.jpg", "score": 0.1, "hits": [HIT], "count": 0}
    matches = [
        match | {"image_id": str(n), "probability": each} for n, each in enumerate(probabilities)
    ]
    service.result = {"found": probabilities[0] == 0.95, "matches": matches}
    ended = run("search", "images/0.jpg", terminal=True)
    assert ended.out.count("a.jpg") == shown
    assert said in ended.err if said else "a little like it" not in ended.err
    assert len(run("search", "images/0.jpg").out.splitlines()) == 1 + len(matches)


def test_of_several_things_it_is_said_which_are_there_and_nothing_is_called_sure(
    run: Run, service: FakeService
) -> None:
    thing = {"label": "object", "confidence": 0.5, "box": [0, 0, 9, 9]}
    match = {"image_id": "a", "filename": "a.jpg", "score": 0.9, "hits": [HIT]}
    service.result = {
        "found": True,
        "probability": 0.34,
        "objects": [
            {**thing, "found": True, "probability": 0.993},
            {**thing, "label": "cup", "found": False, "probability": 0.004},
            {**thing, "box": None, "found": False, "probability": 0.02},
        ],
        "matches": [
            match | {"probability": 0.34, "shows": [0]},
            match | {"image_id": "b", "probability": 0.1, "shows": []},
        ],
    }
    ended = run("search", "--text", "x", "--detect", terminal=True)
    assert "things" in ended.out and "1 of 3" in ended.out and "0 of 3" in ended.out
    assert "34 %" not in ended.out and "sure" not in ended.out
    assert "thing 1, 0,0,9,9: found (over 99 %)" in ended.err
    assert "cup, 0,0,9,9: probably not there (under 1 %)" in ended.err
    assert "thing 3, the whole query: probably not there (2 %)" in ended.err


def test_an_image_that_shows_one_of_several_things_counts_as_a_find(
    run: Run, service: FakeService, indexed: list[str]
) -> None:
    thing = {"label": "object", "confidence": 0.5, "box": [0, 0, 9, 9], "probability": 0.9}
    match = {"filename": "a.jpg", "score": 0.9, "hits": [HIT], "width": 60, "height": 40}
    service.result = {
        "found": True,
        "objects": [{**thing, "found": True}, {**thing, "found": False}, {**thing, "found": False}],
        "matches": [
            match | {"image_id": indexed[0], "probability": 0.34, "shows": [0]},
            match | {"image_id": indexed[1], "probability": 0.1, "shows": []},
        ],
    }
    ended = run("search", "images/0.jpg", "--detect", "--out", "results.csv")
    rows = Path("results.csv").read_text().splitlines()
    assert ended.status == ExitCode.OK and len(rows) == 2 and indexed[0] in rows[1]
    assert "Drawn in found" in run("search", "images/0.jpg", "--detect", "--out", "found").err
    half = ("--min-probability", "0.5")
    ended = run("search", "images/0.jpg", "--detect", "--out", "half.csv", *half)
    assert ended.status == ExitCode.NOTHING, "half of the things is more than one of three"
    # A service of before does not say which things an image shows.
    for told in service.result["matches"]:
        del told["shows"]
        told["probability"] += 0.5
    ended = run("search", "images/0.jpg", "--detect", "--out", "before.csv")
    assert ended.status == ExitCode.OK and len(Path("before.csv").read_text().splitlines()) == 3
    assert "of 3" not in run("search", "images/0.jpg", "--detect").out


def test_only_what_was_verified_is_wanted(run: Run, service: FakeService) -> None:
    first = {"image_id": "a", "score": 0.9, "hits": [HIT]}
    service.result = {"matches": [first, first | {"image_id": "b", "verified": True}]}
    ended = run("search", "--text", "x", "--verified", "--json")
    assert [match["image_id"] for match in ended.json["matches"]] == ["b"]
    assert run("search", "--text", "x").out.count("verified") == 1
    service.result = {"matches": [first]}
    assert run("search", "--text", "x", "--verified").status == ExitCode.NOTHING
    assert run("search", "--text", "x", "--no-verify").status == ExitCode.OK
    posted = json.loads(service.requests[-1].content)
    assert posted["verify"] is False


def test_anything_can_be_searched_for(run: Run, service: FakeService, indexed: list[str]) -> None:
    image_id = indexed[0]
    for words, wanted in [
        (("--text", "a red kettle"), {"text": "a red kettle"}),
        (("http://x/a.png",), {"url": "http://x/a.png"}),
        ((image_id, "--box", "0,0,9,9"), {"image_id": image_id, "box": [0, 0, 9, 9]}),
    ]:
        assert run("search", *words, "-o", "drawn.png").status == 0
        posted = [r for r in service.requests if r.method == "POST"][-1]
        assert json.loads(posted.content).items() >= wanted.items()
        assert open_upright("drawn.png").width == WIDTH
    assert run("search", "-", "-o", "drawn.png", stdin=image()).status == 0
    posted = [r for r in service.requests if r.method == "POST"][-1]
    assert image() in posted.content


def test_search_options_reach_the_service(run: Run, service: FakeService) -> None:
    words = ["-n", "3", "--hits", "2", "--min-score", "0.5", "--aggregate", "mean", "--zoom", "0"]
    words += ["-f", "shop=Basel", "-f", "tag=red,blue", "-f", "year>=2020", "-f", "year<2025"]
    run("search", "--text", "x", *words, "-f", '{"size": {"gt": 1}}')
    body = json.loads([r for r in service.requests if r.method == "POST"][-1].content)
    assert body == {
        "text": "x",
        "limit": 3,
        "hits_per_image": 2,
        "min_score": 0.5,
        "aggregate": "mean",
        "zoom": 0,
        "filter": {
            "shop": "Basel",
            "tag": ["red", "blue"],
            "year": {"gte": 2020, "lt": 2025},
            "size": {"gt": 1},
        },
        "wait": 10.0,
    }


@pytest.mark.usefixtures("indexed")
def test_examples_negatives_and_words_reach_the_service(run: Run, service: FakeService) -> None:
    image_id = "0" * 8 + "-0000" * 3 + "-" + "0" * 12
    words = ["--example", image_id, "--not", "images/1.jpg", "--not", "http://example.org/a.png"]
    words += ["-t", "red", "--text-weight", "0.3", "--same-kind", "0.7", "--detect"]
    run("search", "images/0.jpg", *words)
    sent = [r for r in service.requests if r.method == "POST"][-1].content
    for field, content in (("file", "images/0.jpg"), ("not_file", "images/1.jpg")):
        assert f'name="{field}"; filename='.encode() in sent
        assert Path(content).read_bytes() in sent
    examples, negatives = f'[{{"image_id": "{image_id}"}}]', '[{"url": "http://example.org/a.png"}]'
    for text in (examples, negatives, "0.3", "0.7"):
        assert text.encode() in sent


@pytest.mark.usefixtures("indexed")
def test_what_is_probably_not_there_is_shown_and_ends_with_1(
    run: Run, service: FakeService
) -> None:
    service.says = {"found": False, "probability": 0.02}
    ran = run("search", "images/0.jpg")
    assert (ran.status, "Probably in none" in ran.err, "0.jpg" in ran.out) == (1, True, True)


@pytest.mark.usefixtures("indexed")
def test_the_drawing_is_opened(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(click, "launch", shown.append)
    assert run("search", "images/0.jpg", "--open").status == 0
    assert open_upright(shown[0]).width == WIDTH


@pytest.mark.usefixtures("indexed")
def test_a_search_whose_time_was_up_says_how_it_goes_on_and_does(
    run: Run, service: FakeService
) -> None:
    service.says = {"verification": {"checked": 1, "complete": False}}
    before = run("search", "images/0.jpg")
    assert "ran out when 1 image had been double-checked" in before.err, "it did not count the rest"
    service.says = {"verification": {"checked": 1, "unchecked": 0, "complete": False}}
    cut = run("search", "images/0.jpg")
    job_id = next(reversed(service.jobs))
    assert cut.status == ExitCode.OK and "ran out before the last checks" in cut.err
    assert f"`needle continue {job_id}` takes the time it needs." in cut.err
    went_on = run("continue", job_id)
    assert went_on.status == ExitCode.OK and "0.jpg" in went_on.out and "time" not in went_on.err
    posted = [r for r in service.requests if r.url.path.endswith(f"{job_id}/continue")]
    assert len(posted) == 1 and posted[0].headers["Idempotency-Key"], "it may be sent again"
    done = run("continue", next(reversed(service.jobs)), "--json")
    assert done.status == ExitCode.FAILED and "It is nothing_to_continue." in done.err
