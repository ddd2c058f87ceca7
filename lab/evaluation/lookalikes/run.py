"""Asks the service for drawn things that are there, and for others of their make that are not."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from lab.evaluation.lookalikes.drawing import FAMILIES, Family, scene
from lab.evaluation.perturb import png
from lab.evaluation.report import nulled
from lab.evaluation.service.ask import Answer, judged
from lab.evaluation.service.certainty import ASKED
from lab.evaluation.service.run import free_port
from machine.stack import Stack
from needle import Needle

SHOWN, ABSENT = 6, 4
"""Things of a family that a scene shows, and others of it that are asked for as well."""
SCENES = 4
"""Scenes of a family, each of things of its own."""
READY_S = 120


@dataclass(frozen=True)
class Asked:
    """A thing that was asked for, whether it is there, and the answer."""

    family: str
    there: bool
    answer: Answer


def run(env: dict[str, str], half: int | None, answers: Path | None, console: Console) -> None:
    """Index the scenes, ask for everything, and show how often `found` was said.

    `half` 0 or 1 takes every second scene: what is fitted to one is judged on the other. `answers`
    is written as a run of `service` writes it: a thing that is there beside one that is not.
    """
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(env, data_dir=Path(folder) / "service", port=free_port())
        with stack, Needle(stack.base_url) as needle:
            stack.wait_ready(READY_S)
            asked = list(_asked(needle, Path(folder), half))
    console.print(table(asked))
    if answers is not None:
        answers.parent.mkdir(parents=True, exist_ok=True)
        answers.write_text("".join(_lines(asked)), encoding="utf-8")


def table(asked: Sequence[Asked]) -> Table:
    """Return how many of what is there were found, right, and of what is not there, by family."""
    shown = Table("family", "there", "found", "absent", "found all the same", title="look-alikes")
    for name in [*dict.fromkeys(one.family for one in asked), None]:
        there, absent = (_answers(asked, name, there=is_there) for is_there in (True, False))
        right = np.mean([bool(answer.found and answer.right) for answer in there])
        wrong = np.mean([bool(answer.found) for answer in absent])
        cells = (str(len(there)), f"{right:.3f}", str(len(absent)), f"{wrong:.3f}")
        shown.add_row(name or "all", *cells)
    return shown


def _answers(asked: Sequence[Asked], family: str | None, *, there: bool) -> list[Answer]:
    return [one.answer for one in asked if one.there is there and family in (None, one.family)]


def _lines(asked: Sequence[Asked]) -> Iterator[str]:
    """Yield pairs of answers: to a thing that is there, and to one of its make that is not."""
    for family in FAMILIES:
        there, absent = (_answers(asked, family.name, there=is_there) for is_there in (True, False))
        # There are more of the former: each of the latter is beside one.
        for pair in zip(there, absent, strict=False):
            for way, answer in zip(ASKED, pair, strict=True):
                facts = {"asked": way, "group": family.name, **asdict(answer)}
                yield json.dumps(nulled(facts)) + "\n"


def _asked(needle: Needle, folder: Path, half: int | None) -> Iterator[Asked]:
    wanted: list[tuple[str, str, Image.Image, bool]] = []
    for family in FAMILIES:
        for number in range(SCENES):
            if half is not None and number % 2 != half:
                continue
            things, name = _things(family, number), f"{family.name}-{number}.jpg"
            scene(1000 * number + FAMILIES.index(family), things[:SHOWN]).save(
                folder / name, quality=88
            )
            wanted += [(family.name, name, thing, n < SHOWN) for n, thing in enumerate(things)]
    needle.wait(needle.index(sorted(folder.glob("*.jpg"))))
    ids = {image.filename: image.image_id for image in needle.images()}
    for family_name, photo, thing, there in wanted:
        right = {ids[photo]} if there else set()
        answer = judged(needle.search(png(_as_asked(thing))), right, None)
        yield Asked(family_name, there, answer)


def _things(family: Family, number: int) -> list[Image.Image]:
    """Return the things of a family in a scene, those that it shows first."""
    make = FAMILIES.index(family)
    return [
        family.draw(
            np.random.default_rng([make, number]),
            np.random.default_rng([make, number, n]),
            number * (SHOWN + ABSENT) + n,
        )
        for n in range(SHOWN + ABSENT)
    ]


def _as_asked(thing: Image.Image) -> Image.Image:
    """Return the thing as somebody has it: smaller, and through JPEG."""
    held = io.BytesIO()
    thing.resize((round(thing.width * 0.8), round(thing.height * 0.8))).save(
        held, "JPEG", quality=80
    )
    return Image.open(held).convert("RGB")
