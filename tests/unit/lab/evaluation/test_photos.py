"""Labelled photos in three forms, read into one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lab.evaluation.photos import LabelledBox, open_photos, queries, read_voc, spread

VOC = """<annotation><filename>{name}</filename>
<size><width>60</width><height>40</height><depth>3</depth></size>
<object><name>cat</name><difficult>0</difficult>
<bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>25</ymax></bndbox></object>
<object><name>dog</name><difficult>1</difficult>
<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>60</xmax><ymax>40</ymax></bndbox></object>
</annotation>"""


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), "teal").save(path)
    return path


def coco(crowd: int = 0, **more: object) -> str:
    box = {"image_id": 7, "category_id": 3, "bbox": [10, 5, 20, 20], "iscrowd": crowd}
    images = [{"id": 7, "file_name": "a.png", "width": 60, "height": 40}]
    images.append({"id": 8, "file_name": "b.png", "width": 60, "height": 40})
    facts = {"images": images, "annotations": [box], "categories": [{"id": 3, "name": "cat"}]}
    return json.dumps(facts | more)


def test_coco_boxes_are_corners_and_photos_without_boxes_stay(tmp_path: Path) -> None:
    photo(tmp_path / "val" / "a.png")
    photo(tmp_path / "val" / "b.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "captions.json").write_text(
        coco(annotations=[{"image_id": 7, "caption": "a cat"}])
    )
    labels = tmp_path / "annotations" / "instances.json"
    labels.write_text(coco())
    first, second = open_photos(tmp_path)
    assert first.boxes == (LabelledBox((10, 5, 30, 25), "cat"),)
    assert (first.path, first.width, first.height) == (tmp_path / "val" / "a.png", 60, 40)
    assert second.boxes == ()
    assert open_photos(labels) == [first, second]


def test_a_crowd_of_coco_is_difficult(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        photo(tmp_path / name)
    (tmp_path / "labels.json").write_text(coco(crowd=1))
    assert open_photos(tmp_path)[0].boxes[0].difficult


def test_a_labelled_photo_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(coco())
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        open_photos(tmp_path)


def test_voc_counts_pixels_from_one_and_includes_the_last(tmp_path: Path) -> None:
    photo(tmp_path / "JPEGImages" / "a.png")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(VOC.format(name="a.png"))
    (found,) = open_photos(tmp_path)
    cat, dog = found.boxes
    assert (cat.corners, cat.label, cat.difficult) == ((10, 5, 30, 25), "cat", False)
    assert (dog.corners, dog.difficult) == ((0, 0, 60, 40), True)
    assert found.share(cat) == pytest.approx(400 / 2400)


def test_voc_may_lie_beside_its_photos(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "a.xml").write_text(VOC.format(name="a.png"))
    assert [found.path for found in read_voc(tmp_path)] == [tmp_path / "a.png"]


def test_a_folder_without_labels_says_what_it_looked_for(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(FileNotFoundError, match="COCO"):
        open_photos(tmp_path)


def test_a_query_is_right_by_the_photos_own_instance_its_boxes_or_their_labels(
    tmp_path: Path,
) -> None:
    box = {"box": [0, 0, 9, 9], "label": "cup", "instance": "cup/1", "difficult": False}
    rows = [
        {"file": "a.jpg", "set": "s", "instance": "tower/1", "boxes": []},
        {"file": "b.jpg", "set": "s", "instance": None, "boxes": [box]},
        {"file": "c.jpg", "set": "other", "instance": "tower/1", "boxes": [box]},
    ]
    sized = [row | {"width": 10, "height": 10} for row in rows]
    (tmp_path / "photos.jsonl").write_text("\n".join(map(json.dumps, sized)))
    asked = [("tower/1", "instance"), ("cup/1", "instance"), ("cup", "label")]
    (tmp_path / "queries.jsonl").write_text(
        "\n".join(
            json.dumps({"file": "q.jpg", "set": "s", "label": label, "match": match})
            for label, match in asked
        )
    )
    found = queries(tmp_path, open_photos(tmp_path))
    assert [query.right for query in found] == [{"a.jpg"}, {"b.jpg"}, {"b.jpg"}]


def test_fewer_photos_are_spread_over_all() -> None:
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert spread(range(3), 5) == spread(range(3), None) == [0, 1, 2]
