"""Labelled photos on disk: their boxes, and the queries with what would be right.

Three forms are read into the same classes: the development set (`photos.jsonl`), COCO's JSON, and
Pascal VOC's XML files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

from PIL import Image

from common import pictures

Corners = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels of the upright photo."""
MAX_PIXELS = 200_000_000

Item = TypeVar("Item")


@dataclass(frozen=True)
class LabelledBox:
    """One object of a photo; `instance` names the very thing, `label` its kind.

    A `difficult` one is hardly to be seen, or a crowd: who misses it does nothing wrong.
    `side_px` is the side that it stands for, where boxes were chosen by their sides.
    """

    corners: Corners
    label: str
    instance: str | None = None
    difficult: bool = False
    side_px: int | None = None

    @property
    def area(self) -> float:
        """Area in square pixels."""
        x1, y1, x2, y2 = self.corners
        return (x2 - x1) * (y2 - y1)

    @property
    def shorter_px(self) -> float:
        """The shorter side in pixels."""
        x1, y1, x2, y2 = self.corners
        return min(x2 - x1, y2 - y1)


@dataclass(frozen=True)
class Photo:
    """A photo of the set with its boxes; sizes in pixels.

    `instance` names the very thing that the photo as a whole is of.
    """

    path: Path
    set: str
    width: int
    height: int
    boxes: tuple[LabelledBox, ...]
    instance: str | None = None

    @property
    def instances(self) -> frozenset[str]:
        """The very things that are in it."""
        own = [self.instance, *(box.instance for box in self.boxes)]
        return frozenset(name for name in own if name is not None)

    @property
    def labels(self) -> frozenset[str]:
        """The kinds of its boxes."""
        return frozenset(box.label for box in self.boxes)

    def share(self, box: LabelledBox) -> float:
        """Return the share of the photo's area that the box takes, 0..1."""
        return box.area / (self.width * self.height)


@dataclass(frozen=True)
class Query:
    """A second photograph of something, and the names of the photos that show it."""

    path: Path
    set: str
    group: str
    right: frozenset[str]


def read_pixels(path: Path) -> Image.Image:
    """Decode a photo as the service does: upright RGB. Raises InvalidImage."""
    return pictures.decode(path.read_bytes(), max_pixels=MAX_PIXELS)


def open_photos(path: Path) -> list[Photo]:
    """Read the photos of a folder in whichever of the three forms it holds, or of a COCO file.

    Raises FileNotFoundError where there is none of them.
    """
    if path.is_file():
        at = path.parent
        return read_coco(path, at.parent if at.name == "annotations" else at)
    if (path / "photos.jsonl").is_file():
        return photos(path)
    if any(_voc_labels(path).glob("*.xml")):
        return read_voc(path)
    for found in sorted([*path.glob("*.json"), *(path / "annotations").glob("*.json")]):
        if _is_coco(found):
            return read_coco(found, path)
    raise FileNotFoundError(f"{path} holds no photos.jsonl, no COCO JSON and no VOC XML files")


def photos(root: Path) -> list[Photo]:
    """Read `photos.jsonl` of the development set at `root`."""
    return [
        Photo(
            root / raw["file"],
            raw["set"],
            raw["width"],
            raw["height"],
            tuple(_box(box) for box in raw["boxes"]),
            raw.get("instance"),
        )
        for raw in _lines(root / "photos.jsonl")
    ]


def queries(root: Path, among: Sequence[Photo]) -> list[Query]:
    """Read `queries.jsonl`, if it is there: a query's right photos show its instance or label."""
    path = root / "queries.jsonl"
    found = []
    for raw in _lines(path) if path.is_file() else ():
        right = frozenset(
            photo.path.name
            for photo in among
            if photo.set == raw["set"]
            and raw["label"] in (photo.instances if raw["match"] == "instance" else photo.labels)
        )
        group = raw["label"].split("/")[0] if raw["set"] == "smvs" else raw["set"]
        found.append(Query(root / raw["file"], raw["set"], group, right))
    return found


def read_coco(json_path: Path, images_folder: Path) -> list[Photo]:
    """Read COCO's JSON; its crowds become difficult boxes.

    A photo lies in `images_folder` or in a folder directly within it. Raises FileNotFoundError
    where one is missing.
    """
    facts: Any = json.loads(json_path.read_text(encoding="utf-8"))
    labels = {kind["id"]: kind["name"] for kind in facts["categories"]}
    boxes: dict[Any, list[LabelledBox]] = {}
    for raw in facts["annotations"]:
        x, y, width, height = raw["bbox"]
        corners = (x, y, x + width, y + height)
        crowd = bool(raw.get("iscrowd", 0))
        box = LabelledBox(corners, labels[raw["category_id"]], difficult=crowd)
        boxes.setdefault(raw["image_id"], []).append(box)
    folders = [images_folder, *sorted(p for p in images_folder.iterdir() if p.is_dir())]
    return [
        Photo(
            _located(raw["file_name"], folders),
            json_path.stem,
            raw["width"],
            raw["height"],
            tuple(boxes.get(raw["id"], ())),
        )
        for raw in facts["images"]
    ]


def read_voc(folder: Path) -> list[Photo]:
    """Read VOC's XML files, in `folder` or its `Annotations`; photos there or in `JPEGImages`.

    Raises FileNotFoundError where a photo is missing.
    """
    labels = _voc_labels(folder)
    folders = [folder / "JPEGImages", folder, labels]
    found = []
    for path in sorted(labels.glob("*.xml")):
        root = ElementTree.parse(path).getroot()  # noqa: S314 (labels of one's own)
        found.append(
            Photo(
                _located(root.findtext("filename", path.stem + ".jpg"), folders),
                folder.name,
                int(root.findtext("size/width", "0")),
                int(root.findtext("size/height", "0")),
                tuple(_voc_box(thing) for thing in root.iter("object")),
            )
        )
    return found


def spread(items: Sequence[Item], most: int | None) -> list[Item]:
    """Return at most `most` of the items, evenly spread over them, in their order."""
    if most is None or most >= len(items):
        return list(items)
    return [items[index * len(items) // most] for index in range(most)]


def _box(raw: dict[str, Any]) -> LabelledBox:
    corners: Any = tuple(raw["box"])
    difficult = bool(raw.get("difficult"))
    return LabelledBox(corners, raw["label"], raw["instance"], difficult, raw.get("side"))


def _voc_box(thing: ElementTree.Element) -> LabelledBox:
    """VOC counts pixels from 1, and its last one lies inside the box."""

    def edge(name: str) -> float:
        return float(thing.findtext(f"bndbox/{name}", "nan"))

    return LabelledBox(
        (edge("xmin") - 1, edge("ymin") - 1, edge("xmax"), edge("ymax")),
        thing.findtext("name", ""),
        difficult=thing.findtext("difficult", "0") == "1",
    )


def _voc_labels(folder: Path) -> Path:
    inner = folder / "Annotations"
    return inner if inner.is_dir() else folder


def _is_coco(path: Path) -> bool:
    """Captions come in the same form, without boxes."""
    facts: Any = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(facts, dict) or not {"images", "annotations", "categories"} <= set(facts):
        return False
    return all("bbox" in raw for raw in facts["annotations"][:1])


def _located(name: str, folders: Iterable[Path]) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"the labels name the photo {name}, which is not there")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
