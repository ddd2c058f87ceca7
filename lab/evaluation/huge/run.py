"""Indexes the images of every kind together, asks for their windows, and counts what is found.

What was cut short for lack of time is asked again with all the time it needs: what is lost then is
lost for another reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from lab.evaluation.bootstrap import mean_interval
from lab.evaluation.huge.making import KINDS, SIDES, made
from lab.evaluation.pack import environment
from lab.evaluation.perturb import crop, png, reworked
from lab.evaluation.photos import LabelledBox, Photo, open_photos, read_pixels
from lab.evaluation.report import SAME_BOX, nulled, write_json
from lab.evaluation.service.ask import LIMIT, Answer, judged
from lab.evaluation.service.index import Collection, index_photos
from lab.evaluation.service.large import ALTERED, WHATS
from lab.evaluation.service.plan import EXACT
from lab.evaluation.service.run import free_port
from lab.evaluation.service.sheets import Sheet, Value
from machine.stack import Stack
from machine.stack.signals import as_interrupt
from needle import Needle

READY_S = 600.0
SEED = 0


@dataclass(frozen=True)
class Options:
    """What is measured: `photos` is the folder whose pieces are put together, None: drawings alone.

    So many `images` of each kind, and `windows` of each side of a kind.
    """

    photos: Path | None
    models: str
    profile: str
    images: int
    windows: int
    out: Path
    json: Path | None
    markdown: Path | None


@dataclass(frozen=True)
class Asked:
    """A window: where it is, what it was asked as, and the answers.

    `answer` came within the service's own times; `patient` when it had the time it needed, which
    is the same where nothing was cut short.
    """

    kind: str
    photo: str
    side_px: int
    what: str
    answer: Answer
    patient: Answer


def run(options: Options, console: Console) -> None:
    """Make the images, index them, ask for everything, and show and write what was found."""
    of = [] if options.photos is None else open_photos(options.photos)
    photos = made(options.out / "images", of, options.images, options.windows, SEED)
    env = environment(options.models, None, options.profile)
    stack = Stack(env, data_dir=options.out / "service", port=free_port())
    with as_interrupt(), stack, Needle(stack.base_url) as needle:
        stack.wait_ready(READY_S)
        collection = index_photos(photos, [0] * len(photos), stack, needle, console)
        if collection.failed:
            console.print(f"[red]not indexed:[/red] {', '.join(collection.failed)}")
        asked = list(ask(photos, collection, needle, console))
    write_answers(asked, options.out / "answers.jsonl")
    shown = sheets(asked)
    for sheet in shown:
        console.print(sheet.drawn())
    facts = {
        "command": "huge",
        "photos": collection.photos,
        "regions": collection.regions,
        "indexing": asdict(collection.spent),
        "bytes": dict(collection.bytes),
        "searches": len(asked),
        "load": os.getloadavg()[0],
        "tables": {sheet.key: sheet.as_json() for sheet in shown},
    }
    for path in (options.out / "report.json", options.json):
        write_json(path, facts, console)
    if options.markdown is not None:
        options.markdown.write_text("\n".join(sheet.markdown() for sheet in shown), "utf-8")


def ask(
    photos: Sequence[Photo], collection: Collection, needle: Needle, console: Console
) -> Iterator[Asked]:
    """Ask for every window, exact and altered, and go on with what was cut short."""
    with Progress(console=console) as progress:
        total = len(WHATS) * sum(len(photo.boxes) for photo in photos)
        bar = progress.add_task("asking", total=total)
        for number, photo in enumerate(photos):
            image = read_pixels(photo.path) if photo.boxes else None
            for box in photo.boxes:
                assert image is not None  # it is read where there are windows
                for what in WHATS:
                    picture = (crop if what == EXACT else reworked)(image, box.corners)
                    first, patient = _asked(
                        needle, png(picture), collection, collection.ids[number], box
                    )
                    side = box.side_px or 0
                    yield Asked(photo.set, photo.path.name, side, what, first, patient)
                    progress.advance(bar)


def sheets(asked: Sequence[Asked]) -> list[Sheet]:
    """Return what is found by kind and side, exact and altered."""
    return [_sheet(asked, what) for what in WHATS]


def _asked(
    needle: Needle, picture: bytes, collection: Collection, right: str, box: LabelledBox
) -> tuple[Answer, Answer]:
    result = needle.search(picture, limit=LIMIT, collection=collection.name)
    first = judged(result, {right}, box.corners)
    if first.complete:
        return first, first
    return first, judged(needle.continue_search(result), {right}, box.corners)


def _sheet(asked: Sequence[Asked], what: str) -> Sheet:
    lines: list[tuple[Value, ...]] = []
    for kind in KINDS:
        for side in (*SIDES, None):
            some = [
                one
                for one in asked
                if (one.kind, one.what) == (kind, what) and side in (None, one.side_px)
            ]
            if some:
                lines.append((kind, side or "all", len(some), *_figures(some)))
    about = (
        "Is the window's image first, does the first box overlap the window, and is it first and "
        "`found`? Each with all the time that it needs; `in time`: first within the service's own "
        "times; cut short: searches whose time was up before their end."
    )
    if what == ALTERED:
        about += " Altered: mirrored, brighter, at four fifths of the size, JPEG 50."
    header = ("kind", "side, px", "of", "first", f"IoU >= {SAME_BOX}", "first and found")
    return Sheet(
        what, f"Huge images, {what}", about, (*header, "in time", "cut short"), tuple(lines)
    )


def _figures(some: Sequence[Asked]) -> Iterator[Value]:
    patient = [one.patient for one in some]
    for which in (
        [answer.right for answer in patient],
        [answer.iou_top >= SAME_BOX for answer in patient],
        [answer.right and bool(answer.found) for answer in patient],
        [one.answer.right for one in some],
        [not one.answer.complete for one in some],
    ):
        yield mean_interval(np.array(which, bool))


def write_answers(asked: Sequence[Asked], path: Path) -> None:
    """Write every answer as a line of JSON, so that anyone can count them another way."""
    lines = (json.dumps(nulled(asdict(one))) + "\n" for one in asked)
    path.write_text("".join(lines), encoding="utf-8")
