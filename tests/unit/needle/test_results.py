"""What a result can do: be drawn, become rows and a DataFrame, be copied and stored."""

from __future__ import annotations

import copy
import io
import pickle
import sys
import types
from dataclasses import asdict, replace
from typing import Any

import pytest
from PIL import Image

from needle import Match, SearchResult
from needle.draw import DOUBTFUL, FOUND
from needle.frames import IMAGE_COLUMNS, MATCH_COLUMNS, columns, image_row
from needle.indexed import Image as IndexedImage
from tests.unit.needle.fake_needle import FakeService

GREY = (120, 120, 120)


def jpeg(width: int = 400, height: int = 300, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), GREY).save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.fixture
def service() -> FakeService:
    made = FakeService()
    made._new_job("index", [made._item(0, "shelf.jpg", jpeg())])
    made.finish("index-0")
    return made


def test_a_match_fetches_its_image_and_draws_its_hits(service: FakeService) -> None:
    with service.needle() as needle:
        match = needle.search(text="x", collection="shop").matches[0]
        marked = match.draw()
        assert service.requests[-1].url.params["collection"] == "shop"
        assert needle.draw(match, hits=1).size == marked.size == (400, 300)
    colours = {colour for _, colour in marked.getcolors(maxcolors=10**6) or []}
    assert FOUND in colours and DOUBTFUL in colours, "the best hit, and another"
    assert FOUND in {colour for _, colour in match.draw(jpeg(), hits=1).getcolors(10**6) or []}
    assert match.draw(jpeg(), hits=0).getcolors() == [(120000, GREY)]


def test_copies_and_pickles_leave_the_connection_behind(service: FakeService) -> None:
    with service.needle() as needle:
        result = needle.search(text="x", collection="shop")
    for again in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert again == result and again.matches[0].origin.collection == "shop"
        with pytest.raises(ValueError, match=r"needle\.draw\(match\)"):
            again.matches[0].draw()
        assert again.matches[0].draw(jpeg()).size == (400, 300)
    assert asdict(result)["matches"][0]["filename"] == "shelf.jpg"


def result() -> SearchResult:
    hits = [
        {"box": [1, 2, 3, 4], "score": 0.9, "source": "tile"},
        {"box": [5, 6, 7, 8], "score": 0.8, "source": "detector", "label": "cup"},
    ]
    first = {"image_id": "a", "score": 0.9, "filename": "a.jpg", "hits": hits}
    second = {"image_id": "b", "score": 0.7, "hits": hits[:1], "metadata": {"shop": "Basel"}}
    return SearchResult("j", tuple(Match.from_json(raw) for raw in (first, second)))


def test_a_row_for_each_hit() -> None:
    rows = result().rows()
    assert [(row["rank"], row["hit"], row["image_id"]) for row in rows] == [
        (1, 1, "a"),
        (1, 2, "a"),
        (2, 1, "b"),
    ]
    assert [rows[1][name] for name in ("x1", "y1", "x2", "y2", "label")] == [5, 6, 7, 8, "cup"]
    assert rows[2]["metadata.shop"] == "Basel"
    assert columns(rows, MATCH_COLUMNS) == [*MATCH_COLUMNS, "metadata.shop"]
    image = IndexedImage("a", "a.jpg", 4, 3, 9, 5, {"year": 2024}, 1.5)
    assert list(image_row(image)) == [*IMAGE_COLUMNS, "metadata.year"]


def test_rows_have_every_path_of_an_image_that_has_several() -> None:
    both = ("x/a.jpg", "y/b.jpg")
    image = IndexedImage("a", "a.jpg", 4, 3, 9, 5, path=both[0], paths=both)
    assert image_row(image)["paths"] == [*both]
    assert image_row(replace(image, paths=both[:1]))["paths"] is None
    (match, _) = result().matches
    assert replace(result(), matches=(replace(match, paths=both),)).rows()[1]["paths"] == [*both]


def test_of_words_alone_there_is_only_an_order() -> None:
    words = replace(result(), query={"text": "a mug"})
    assert words.of_words and not replace(words, query={}).of_words
    assert not replace(words, query={"text": "a mug", "filename": "mug.jpg"}).of_words


def test_a_data_frame_where_pandas_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    def data_frame(rows: list[Any], columns: list[str]) -> str:
        made.update(rows=rows, columns=columns)
        return "frame"

    pandas = types.ModuleType("pandas")
    pandas.DataFrame = data_frame  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    assert result().to_pandas() == "frame"
    assert len(made["rows"]) == 3 and made["columns"][-1] == "metadata.shop"
    assert SearchResult("j", ()).to_pandas() == "frame" and made["columns"] == [*MATCH_COLUMNS]


def test_without_pandas_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        result().to_pandas()


def test_what_was_verified_is_told_and_its_corners_are_drawn() -> None:
    hit = {
        "box": [50, 50, 150, 150],
        "score": 0.9,
        "verified": True,
        "quad": [[60, 50], [150, 60], [140, 150], [50, 140]],
        "rotation": 6.3,
        "mirrored": False,
        "inliers": 84,
        "evidence": 131.5,
    }
    match = Match.from_json({"image_id": "a", "score": 0.9, "verified": True, "hits": [hit]})
    best = match.hits[0]
    assert match.verified and best.verified and best.quad and best.quad[1] == (150, 60)
    assert (best.rotation, best.mirrored, best.inliers, best.evidence) == (6.3, False, 84, 131.5)
    assert match.draw(jpeg()).getpixel((105, 55)) == FOUND, "the upper edge of the query"
    plain = result().matches[0]
    assert not plain.verified and plain.hits[0].quad is None
