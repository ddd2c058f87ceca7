"""`pack`: how well a detector and an encoder find things together.

The regions are those that the index worker would propose, the search is exact. What is left out
is everything around it: the service, the vector engine, and the closer look after a search.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from common.errors import InvalidSettings
from common.settings import PREFIX, Settings
from lab.evaluation.bootstrap import Estimate
from lab.evaluation.embedder import Embedder, Encoders, GalleryBuilder, load_encoders
from lab.evaluation.photos import Photo, open_photos, queries, read_pixels, spread
from lab.evaluation.questions import (
    BANDS,
    CUMULATIVE,
    EVERY_SIZE,
    Questions,
    all_rows,
    choose_boxes,
    findable,
)
from lab.evaluation.references import ImageEncoder, references
from lab.evaluation.report import (
    PERTURBED,
    Row,
    cell,
    differences,
    figure,
    pivot,
    plain,
    recalls,
    show_differences,
    show_rest,
    write_json,
)
from lab.evaluation.seeing import Coverage, TimedSeer
from worker.indexing.seeing import seer_of
from worker.models.device import resolve_device
from worker.models.packs import LoadedPack, load_pack, resolve_pack

LEAST_PX = 12
"""Shorter side of the boxes that are searched for: of less, nobody could say what it shows."""
BOXES_A_BAND = 2
"""Boxes of each band of sizes that are searched for, at most, a photo."""
ALL_BANDS = {**BANDS, **CUMULATIVE, **EVERY_SIZE}


@dataclass(frozen=True)
class Measured:
    """The rows, the regions of each photo (P,), what was met, and seconds over all photos.

    `seeing_s` is what the pack took for regions and embeddings, `encoding_s` what others took.
    """

    rows: list[Row]
    regions: list[int]
    coverage: Coverage
    seeing_s: float
    encoding_s: dict[str, float]


def settings(models: str, detector: str | None) -> Settings:
    """Return the settings of the environment with the pack and the detector chosen here."""
    return Settings.from_env(environment(models, detector))


def environment(models: str, detector: str | None, profile: str | None = None) -> dict[str, str]:
    """Return the `NEEDLE_*` variables of this process with what is chosen here instead.

    A detector's file is named in full: the service's processes run in another folder.
    """
    chosen = {"MODELS": models, "DETECTOR": detector, "PROFILE": profile}
    if detector is not None and Path(detector).is_file():
        chosen["DETECTOR"] = str(Path(detector).absolute())
    given = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    return given | {PREFIX + name: value for name, value in chosen.items() if value is not None}


def run(
    dev: Path,
    chosen: Settings,
    more: dict[str, str],
    with_references: bool,
    most: int | None,
    json: Path | None,
    console: Console,
) -> None:
    """Measure the pack, other encoders on its regions, and show and write what came out."""
    loaded = load_pack(chosen)
    encoders = _encoders(loaded, chosen, more, with_references)
    photos = spread(open_photos(dev), most)
    questions = Questions(
        choose_boxes(photos, bands=BANDS, most=BOXES_A_BAND, least_px=LEAST_PX),
        findable(queries(dev, photos), photos),
    )
    seer = TimedSeer(seer_of(loaded.encoder, loaded.detector, chosen), chosen)
    measured = measure(photos, questions, seer, loaded.name, encoders, console)
    show(measured, console)
    show_differences(measured.rows, loaded.name, console)
    write_json(json, _facts(loaded, chosen, measured), console)


def measure(
    photos: Sequence[Photo],
    questions: Questions,
    seer: TimedSeer,
    own: str,
    encoders: Encoders,
    console: Console,
) -> Measured:
    """See every photo, embed its regions and the questions with each encoder, and search.

    The encoder named `own` is the seer's.
    """
    regions = GalleryBuilder(encoders, split=True, known=[own])
    asked, coverage = Embedder(encoders, split=True), Coverage()
    counts: list[int] = []
    with Progress(console=console) as progress:
        bar = progress.add_task("photos", total=len(photos))
        for part in _batches(photos, seer.settings.batch_size):
            images = [read_pixels(photo.path) for photo in part]
            for photo, image, seen in zip(part, images, seer.see(images), strict=True):
                boxes = [proposal.box.as_tuple() for proposal in seen.regions]
                regions.add(len(counts), image, boxes, {own: seen.embeddings})
                questions.embed_boxes(len(counts), image, asked)
                coverage.add(photo, seen.regions)
                counts.append(len(boxes))
            progress.advance(bar, len(part))
    questions.embed_seconds(asked)
    rows: list[Row] = []
    for name in regions.parts.names:
        rows += all_rows(name, regions.gallery(name), asked, questions, photos, ALL_BANDS)
    others = {name: s for name, s in regions.seconds().items() if name != own}
    return Measured(rows, counts, coverage, seer.seconds, others)


def show(measured: Measured, console: Console) -> None:
    """Print the tables: of crops one for each encoder, of the rest encoders side by side."""
    rows = measured.rows
    for name in dict.fromkeys(row.encoder for row in rows):
        own = [row for row in rows if (row.table, row.encoder) == (PERTURBED, name)]
        for title, show in (
            ("recall", recalls),
            ("top hit IoU >= 0.5", figure("top hit IoU >= 0.5")),
        ):
            title = f"{name}, crops by their share of the photo: {title}"
            console.print(pivot(title, own, lambda row: row.band, show))
    show_rest(rows, console)
    met = measured.coverage.recall(ALL_BANDS)
    lines = [[name, *(_with_count(of) for of in by.values())] for name, by in met.items()]
    title = "Labelled boxes with a region of IoU >= 0.5"
    console.print(plain(title, ["", *ALL_BANDS], lines))
    for text, value in _speeds(measured).items():
        console.print(f"{text}: {value:.4g}")


def _encoders(
    loaded: LoadedPack, chosen: Settings, more: dict[str, str], with_references: bool
) -> Encoders:
    if loaded.name in more:
        raise InvalidSettings(f"{loaded.name} is the pack's own encoder: choose another name")
    encoders: dict[str, ImageEncoder] = {loaded.name: loaded.encoder}
    encoders |= load_encoders(more, chosen)
    if with_references:
        pack = resolve_pack(chosen)
        like = pack.encoder or pack.network
        assert like is not None  # a pack has one of them
        encoders |= references(like, resolve_device(chosen.device))
    return encoders


def _facts(loaded: LoadedPack, chosen: Settings, measured: Measured) -> dict[str, Any]:
    met = measured.coverage.recall(ALL_BANDS)
    return {
        "command": "pack",
        "pack": loaded.describe(),
        "confidence_threshold": chosen.confidence_threshold,
        "tile_scales": chosen.tile_scales,
        "photos": len(measured.regions),
        "speeds": _speeds(measured),
        "proposal_recall": {
            name: {band: asdict(of) for band, of in by.items()} for name, by in met.items()
        },
        "rows": [row.as_json() for row in measured.rows],
        "differences": differences(measured.rows, loaded.name),
    }


def _speeds(measured: Measured) -> dict[str, float]:
    photos = len(measured.regions)
    encoding = {
        f"seconds a photo, encoding, {name}": seconds / photos
        for name, seconds in measured.encoding_s.items()
    }
    return {
        "regions a photo": float(np.mean(measured.regions)),
        "most regions of a photo": float(max(measured.regions)),
        "seconds a photo, seeing": measured.seeing_s / photos,
        **encoding,
    }


def _with_count(found: Estimate) -> str:
    return f"{cell(found)}\n[dim]of {found.of}[/dim]"


def _batches(photos: Sequence[Photo], size: int) -> Iterator[Sequence[Photo]]:
    for start in range(0, len(photos), size):
        yield photos[start : start + size]
