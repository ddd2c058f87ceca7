"""`needle search`."""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from needle.api import Needle
from needle.cli.base import (
    Command,
    ExitCode,
    Shell,
    collection_option,
    file_type,
    filter_option,
    json_option,
    pass_shell,
)
from needle.cli.values import BoxType
from needle.results import Box, SearchResult

DRAWN = 10
AGGREGATES = ("max", "mean", "sum", "min")
_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

EXAMPLES = """
needle search logo.png
needle search logo.png --out found.png --open   # boxes drawn, shown
needle search shelf.jpg --box 30,260,375,600    # a part of the query
needle search IMAGE_ID --box 0,0,90,90          # a part of an indexed image
needle search --text 'a red kettle'             # packs with a text side
needle search logo.png --filter shop=Basel --filter 'year>=2020' --json
needle search front.png --example side.png --not other.png
needle search desk.jpg --detect                 # images with every thing in it
curl -s https://example.org/a.png | needle search - || echo 'not there'
"""


@dataclass(frozen=True)
class Subject:
    """What is searched for: the query as `Needle.search` takes it, and what it is called."""

    query: dict[str, Any]
    name: str
    content: bytes | Path | None = None


@click.command(
    cls=Command, short_help="Find the images that contain a small image.", examples=EXAMPLES
)
@click.argument("image", required=False)
@click.option("-t", "--text", metavar="TEXT", help="Search for what words describe.")
@click.option("-b", "--box", type=BoxType(), help="Only this part of the query, in pixels.")
@click.option("--example", "examples", multiple=True, metavar="IMAGE", help="The same, once more.")
@click.option("--not", "negatives", multiple=True, metavar="IMAGE", help="Nothing like this.")
@click.option("--text-weight", type=click.FloatRange(0, 1), help="With IMAGE and TEXT: its share.")
@click.option("--detect", is_flag=True, default=None, help="Search for each thing in IMAGE.")
@click.option("--rotate", is_flag=True, default=None, help="Try quarter turns of IMAGE as well.")
@click.option("--same-kind", type=click.FloatRange(0, 1), help="How much the kind counts.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--hits", type=click.IntRange(1, 100), help="The most places in an image.")
@click.option("--min-score", type=click.FloatRange(-1, 1), help="Cut off below this score.")
@click.option("--aggregate", type=click.Choice(AGGREGATES), help="An image's score from its hits.")
@filter_option
@click.option("--verify/--no-verify", default=None, help="Look again, by local features.")
@click.option("--verify-budget-ms", type=click.IntRange(1, 60_000), help="Most time for that.")
@click.option("--verified", is_flag=True, help="Only images in which that found it again.")
@click.option("--zoom", type=click.IntRange(0, 50), help="Images that are looked at closely.")
@collection_option
@json_option
@click.option("-o", "--out", type=file_type, help="Draw the images and boxes into this file.")
@click.option("--open", "opened", is_flag=True, help="Draw them and show the result.")
@pass_shell
def search(
    shell: Shell,
    image: str | None,
    text: str | None,
    box: Box | None,
    examples: tuple[str, ...],
    negatives: tuple[str, ...],
    text_weight: float | None,
    detect: bool | None,
    rotate: bool | None,
    same_kind: float | None,
    limit: int,
    hits: int | None,
    min_score: float | None,
    aggregate: str | None,
    wanted: dict[str, Any] | None,
    verify: bool | None,
    verify_budget_ms: int | None,
    verified: bool,
    zoom: int | None,
    collection: str | None,
    as_json: bool,
    out: Path | None,
    opened: bool,
) -> int:
    """Find the images that contain IMAGE, and where: a file, `-`, a URL or an image id.

    Ends with 1 when it is probably in none of them; the nearest look-alikes are shown all the
    same, with how sure each is. --verified leaves only what was found again by its details.
    """
    subject = _subject(image, text, box)
    if out:
        _check_drawable(out)
    with shell.connect() as needle:
        result = needle.search(
            **subject.query,
            box=box,
            examples=[_example(name) for name in examples],
            negatives=[_example(name) for name in negatives],
            text_weight=text_weight,
            detect=detect,
            rotate=rotate,
            same_kind=same_kind,
            limit=limit,
            hits_per_image=hits,
            min_score=min_score,
            aggregate=aggregate,
            filter=wanted,
            verify=verify,
            verify_budget_ms=verify_budget_ms,
            zoom=zoom,
            collection=collection,
        )
        if verified:
            result = _verified(result)
        _print(shell, result, as_json)
        if (out or opened) and result.matches:
            target = out or Path(tempfile.mkdtemp(prefix="needle-"), "result.png")
            _draw(needle, subject, box, result, target)
            shell.say(f"Drawn in {target}")
            if opened:
                click.launch(str(target))
    return ExitCode.OK if result.found and result.matches else ExitCode.NOTHING


def _check_drawable(target: Path) -> None:
    """Refuse now what could not be written after the search."""
    from PIL import Image

    if target.suffix.lower() not in Image.registered_extensions():
        raise click.UsageError(
            f"{target} is not the name of an image file: end it with .png or .jpg."
        )
    if not target.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent}.")


def _subject(image: str | None, text: str | None, box: Box | None) -> Subject:
    if image is None:
        if text is None:
            raise click.UsageError("A search takes an IMAGE, or --text, or both.")
        if box:
            raise click.UsageError("A box belongs to an image, not to a text.")
        return Subject({"text": text}, text)
    found = _query(image)
    return found if text is None else replace(found, query={**found.query, "text": text})


def _example(name: str) -> Any:
    """Return an example of the query as `Needle.search` takes it."""
    query = _query(name).query
    return query.get("image", query)


def _query(image: str) -> Subject:
    if image == "-":
        content = sys.stdin.buffer.read()
        return Subject({"image": ("query", content)}, "stdin", content)
    if image.startswith(("http://", "https://")):
        return Subject({"url": image}, image)
    path = Path(image).expanduser()
    if not path.exists() and _ID.match(image):
        return Subject({"image_id": image}, image)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {image}.")
    return Subject({"image": path}, path.name, path)


def _verified(result: SearchResult) -> SearchResult:
    """Return a result with its verified matches only."""
    kept = [place for place, match in enumerate(result.matches) if match.verified]
    raw: list[Any] = list(result.raw.get("matches") or ())
    return replace(
        result,
        matches=tuple(result.matches[place] for place in kept),
        raw={**result.raw, "matches": [raw[place] for place in kept]},
    )


def _print(shell: Shell, result: SearchResult, as_json: bool) -> None:
    if as_json:
        shell.json({"job_id": result.job_id, **result.raw})
        return
    from needle.show import matches_table

    if not result.matches:
        shell.say("Nothing was found.")
        return
    if not result.found:
        shell.say("Probably in none of the images. The nearest look-alikes:")
    shell.out.print(matches_table(result.matches, ids=True))
    for thing in result.objects:
        where = "the whole query" if thing.box is None else " ".join(map(str, thing.box))
        verdict = "found" if thing.found else "probably not there"
        shell.say(f"{thing.label or 'thing'} at {where}: {verdict} ({thing.probability:.0%})")
    took, index = result.timings_ms.get("total"), result.index
    if took is not None:
        regions, images = index.get("regions", 0), index.get("images", 0)
        shell.say(f"{took:.0f} ms; {regions:,} regions of {images:,} images")


def _draw(
    needle: Needle, subject: Subject, box: Box | None, result: SearchResult, target: Path
) -> None:
    from needle.draw import open_upright
    from needle.sheet import results_sheet
    from needle.show import Query, match_rows, worded

    content = subject.content
    if "image_id" in subject.query:
        collection = result.matches[0].origin.collection
        content = needle.file(subject.name, collection=collection, drawable=True)
    try:
        seen = None if content is None else open_upright(content)
    except OSError:  # the service reads formats that Pillow alone does not
        seen = None
    if seen is None:
        query = Query(subject.name, worded(subject.name))
    else:
        query = Query(subject.name, seen.crop(box) if box else seen)
    rows = match_rows(needle, query, result.matches[:DRAWN], result.matches[0].origin.collection)
    results_sheet(rows, title=f"Where is {subject.name}?").save(target)
