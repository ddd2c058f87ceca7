"""`encoders`: which encoder finds crops best, the regions being the labels' own.

What no detector can spoil: every labelled box that is large enough is in the gallery as it is,
beside the whole photo and plain grids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from common.settings import Settings
from lab.evaluation.embedder import Embedder, Encoders, GalleryBuilder, load_encoders
from lab.evaluation.photos import Corners, Photo, open_photos, queries, read_pixels, spread
from lab.evaluation.questions import EVERY_SIZE, Questions, all_rows, choose_boxes, findable
from lab.evaluation.references import references
from lab.evaluation.report import (
    PERTURBED,
    Row,
    differences,
    pivot,
    recalls,
    show_differences,
    show_rest,
    write_json,
)
from worker.models.device import resolve_device

LEAST_PX = 24
"""Shorter side of the labelled boxes that are in the gallery and searched for."""
GRIDS = (2, 3, 4)
BOXES_A_PHOTO = 3


def run(
    dev: Path,
    settings: Settings,
    chosen: dict[str, str],
    most: int | None,
    json: Path | None,
    console: Console,
) -> None:
    """Measure the chosen encoders and the three references, and show and write what came out."""
    own = load_encoders(chosen, settings)
    encoders = {**own, **references(next(iter(chosen.values())), resolve_device(settings.device))}
    photos = spread(open_photos(dev), most)
    questions = Questions(
        choose_boxes(photos, bands=EVERY_SIZE, most=BOXES_A_PHOTO, least_px=LEAST_PX),
        findable(queries(dev, photos), photos),
    )
    measured = measure(photos, questions, encoders, console)
    first = next(iter(chosen))
    show(measured.rows, console)
    show_differences(measured.rows, first, console)
    for name, ms in measured.ms_a_region.items():
        console.print(f"{name}: {ms:.2f} ms a region")
    facts = {
        "command": "encoders",
        "encoders": {name: getattr(encoder, "id", name) for name, encoder in own.items()},
        "photos": len(photos),
        "regions": measured.regions,
        "ms_a_region": measured.ms_a_region,
        "rows": [row.as_json() for row in measured.rows],
        "differences": differences(measured.rows, first),
    }
    write_json(json, facts, console)


@dataclass(frozen=True)
class Measured:
    """The rows, how many regions the gallery has, and each encoder's milliseconds a region."""

    rows: list[Row]
    regions: int
    ms_a_region: dict[str, float]


def measure(
    photos: Sequence[Photo], questions: Questions, encoders: Encoders, console: Console
) -> Measured:
    """Embed the photos' own regions and the questions, and search."""
    regions, asked = GalleryBuilder(encoders, split=True), Embedder(encoders, split=True)
    for number, photo in enumerate(track(photos, "photos", console=console)):
        image = read_pixels(photo.path)
        regions.add(number, image, list(labelled_regions(photo)))
        questions.embed_boxes(number, image, asked)
    questions.embed_seconds(asked)
    rows: list[Row] = []
    for name in regions.parts.names:
        rows += all_rows(name, regions.gallery(name), asked, questions, photos, EVERY_SIZE)
    spent = {name: 1000 * taken / len(regions) for name, taken in regions.seconds().items()}
    return Measured(rows, len(regions), spent)


def labelled_regions(photo: Photo) -> Iterator[Corners]:
    """Yield the whole photo, its labelled boxes that are not too small, and the grids' tiles."""
    yield (0.0, 0.0, float(photo.width), float(photo.height))
    for box in photo.boxes:
        if box.shorter_px >= LEAST_PX:
            yield box.corners
    for n in GRIDS:
        width, height = photo.width / n, photo.height / n
        for row in range(n):
            for column in range(n):
                left, top = column * width, row * height
                yield (left, top, left + width, top + height)


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the tables: encoders side by side."""
    crops = [row for row in rows if row.table == PERTURBED]
    console.print(pivot("Crops of labelled boxes: recall", crops, lambda r: r.encoder, recalls))
    show_rest(rows, console)
