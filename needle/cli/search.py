"""`needle search`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import click

from needle.api import Needle
from needle.archives import is_archive
from needle.cli.base import (
    Command,
    Shell,
    collection_option,
    complete_file,
    filter_option,
    json_option,
    limit_option,
    pass_shell,
)
from needle.cli.estimate import left_out
from needle.cli.searches.many import Ask, as_jobs, drawn_as_well, search_many
from needle.cli.searches.one import Shown, search_one
from needle.cli.searches.targets import Targets, targets
from needle.cli.values import BoxType, Real
from needle.errors import JobFailed, NeedleApiError, TimedOut
from needle.results import Box, SearchResult
from needle.searching import queries, rows
from needle.searching.bulk import ONE_QUERYS_FAULT, Answer
from needle.searching.queries import Queries, Query
from needle.searching.rows import LIKELY, likely

AGGREGATES = ("max", "mean", "sum", "min")
MOST_HITS = 100
PATIENT_S = 600.0
"""A search whose rows are written may wait so long for its answer."""

EXAMPLES = """
needle search logo.png
needle search logo.png --out found.png --open   # boxes drawn, shown
needle search logo.png --out found/             # each image with its boxes, and the query
needle search shelf.jpg --box 30,260,375,600    # a part of the query
needle search IMAGE_ID --box 0,0,90,90          # a part of an indexed image
needle search --text 'a red kettle'             # packs with a text side
needle search logo.png --filter shop=Basel --filter 'year>=2020' --json
needle search front.png --example side.png --not other.png
needle search desk.jpg --detect                 # images with every thing in it
needle search logos/ --out results.csv          # each image in a folder, a row for each place
curl -s https://example.org/a.png | needle search - || echo 'not there'
"""


@click.command(
    cls=Command, short_help="Search for the images that contain a small image.", examples=EXAMPLES
)
@click.argument("words", nargs=-1, metavar="[IMAGE...]", shell_complete=complete_file)
@click.option("-t", "--text", metavar="TEXT", help="Search for what words describe.")
@click.option("-b", "--box", type=BoxType(), help="Only this part of the query, in pixels.")
@click.option(
    "--example",
    "examples",
    multiple=True,
    metavar="IMAGE",
    shell_complete=complete_file,
    help="Another image of the same thing.",
)
@click.option(
    "--not",
    "negatives",
    multiple=True,
    metavar="IMAGE",
    shell_complete=complete_file,
    help="An image of what is not wanted.",
)
@click.option(
    "--text-weight", type=Real(0, 1), help="With IMAGE and --text: how much the text counts."
)
@click.option("--detect", is_flag=True, default=None, help="Search for each thing in IMAGE.")
@click.option("--rotate", is_flag=True, default=None, help="Try quarter turns of IMAGE as well.")
@click.option("--same-kind", type=Real(0, 1), help="How much the kind counts.")
@limit_option(10, "images")
@click.option("--hits", type=click.IntRange(1, 100), help="At most so many places in an image.")
@click.option("--min-score", type=Real(-1, 1), help="Leave out places below this score.")
@click.option(
    "--aggregate",
    type=click.Choice(AGGREGATES),
    help="How an image's score is made of those of its places.",
)
@filter_option
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Double-check the best matches by their details.",
)
@click.option(
    "--verify-budget-ms", type=click.IntRange(1, 60_000), help="The longest that it may take."
)
@click.option(
    "--verified", is_flag=True, help="Only images in which double-checking found it again."
)
@click.option(
    "--min-probability",
    type=Real(0, 1),
    help="Only images that show it so probably; with --detect, so great a share of the things "
    f"(default: {LIKELY} for many queries).",
)
@click.option("--zoom", type=click.IntRange(0, 50), help="Images that get a closer look.")
@collection_option
@json_option
@click.option(
    "-o",
    "--out",
    "outs",
    multiple=True,
    type=click.Path(),
    metavar="FILE|FOLDER",
    help="Draw what is found: a sheet (.png, .jpg), or a folder with each image; "
    "or write a row for each place (.csv).",
)
@click.option("--open", "opened", is_flag=True, help="Draw a sheet and show it.")
@pass_shell
def search(
    shell: Shell,
    words: Sequence[str],
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
    outs: Sequence[str],
    opened: bool,
    min_probability: float | None,
) -> int:
    """Search for the images that contain IMAGE: a file, `-`, a URL or an image id.

    Ends with 1 when it is probably in none of them; the nearest look-alikes are shown all the
    same, with how sure each is. --verified leaves only what was found again by its details.

    Several images, a pattern or a folder are searched for one by one, by a job of the service. With
    --out results.csv a run that was cut off goes on with the same command, and ends with 3 where a
    query has failed.
    """
    stdin = cache(lambda: sys.stdin.buffer.read())
    found, places = _queries(words, text, stdin), targets(outs)
    many = found.many or places.rows is not None
    _check(found, places, many, box=box, examples=examples, as_json=as_json, opened=opened)
    asked = {
        "examples": [_example(name, stdin) for name in examples],
        "negatives": [_example(name, stdin) for name in negatives],
        "text": text,
        "text_weight": text_weight,
        "box": box,
        "detect": detect,
        "rotate": rotate,
        "same_kind": same_kind,
        "limit": limit,
        "hits_per_image": hits,
        "min_score": min_score,
        "aggregate": aggregate,
        "filter": wanted,
        "verify": verify,
        "verify_budget_ms": verify_budget_ms,
        "zoom": zoom,
        "collection": collection,
    }
    with shell.connect() as needle:
        shell.check_collection(needle, collection)
        if not many:
            ask = _ask(needle, asked, partial(likely, least=min_probability, verified=verified))
            shown = Shown(places, as_json, opened)
            return search_one(shell, needle, found.each[0], ask, box, shown)
        least = LIKELY if min_probability is None else min_probability
        every = {"hits_per_image": hits or MOST_HITS, "timeout_s": PATIENT_S}
        found_only = min_probability is None
        kept = partial(likely, least=least, found=found_only, verified=verified)
        keep = drawn_as_well(
            needle, lambda result: rows.places(kept(result)), found.each, places.folder
        )
        if found.many:
            shared = {name: asked[name] for name in asked if name not in ("box", "examples")}
            ask_all = as_jobs(needle, shared | {"hits_per_image": hits or MOST_HITS})
        else:
            ask_one = _ask(needle, asked | every, lambda result: result)
            ask_all = _alone(ask_one)
        plan = asked | {"url": needle.base_url, "least": least, "verified": verified}
        if found.left_out:
            shell.say(f"{_passed_over(found.left_out)}.")
        return search_many(shell, found.each, ask_all, keep, places, plan)


def _queries(words: Sequence[str], text: str | None, stdin: Callable[[], bytes]) -> Queries:
    if not words:
        if text is None:
            raise click.UsageError("A search takes an IMAGE, or --text, or both.")
        return Queries((Query(text, {}),))
    found = queries.find(words, stdin=stdin)
    if not found.each:
        others = f" {_passed_over(found.left_out)}." if found.left_out else ""
        raise click.UsageError(f"There are no images in what was named.{others}")
    for query in found.each:
        if isinstance(query.content, Path) and is_archive(query.content):
            raise click.UsageError(
                f"{query.name} is an archive, which is not unpacked for a search: unpack it, and "
                "name its folder."
            )
    return found


def _passed_over(others: Mapping[str, int]) -> str:
    """Say which files of folders are no queries, commonest endings first."""
    packed = any(is_archive(Path(f"a{ending}")) for ending in others)
    why = "no images; archives are not unpacked for a search" if packed else "no images"
    return f"{left_out(others).removeprefix('; ').capitalize()} ({why})"


def _check(
    found: Queries,
    places: Targets,
    many: bool,
    *,
    box: Box | None,
    examples: Sequence[str],
    as_json: bool,
    opened: bool,
) -> None:
    """Refuse what does not go together."""
    query = found.each[0]
    if box and not query.asked and query.content is None:
        raise click.UsageError("A box belongs to an image, not to a text.")
    if not many:
        return
    if places.sheet or opened:
        raise click.UsageError("A sheet shows one query; of many, --out FOLDER draws each.")
    if as_json:
        raise click.UsageError(
            "--json says the answer to one query; of many, --out FILE.csv has rows."
        )
    if found.many and (box or examples):
        raise click.UsageError("--box and --example belong to one query.")


def _ask(
    needle: Needle, asked: Mapping[str, Any], kept: Callable[[SearchResult], SearchResult]
) -> Callable[[Query], SearchResult]:
    """Return what searches for a query and leaves the matches that are wanted."""

    def ask(query: Query) -> SearchResult:
        return kept(needle.search(**{**query.asked, **asked}))

    return ask


def _alone(ask: Callable[[Query], SearchResult]) -> Ask:
    """Return what asks for one query by a search, which takes more options than a job of many."""

    def ask_all(queries: Iterable[Query], *_: object) -> Iterator[Answer]:
        for query in queries:
            try:
                yield Answer(query, ask(query))
            except (JobFailed, TimedOut) as exc:
                yield Answer(query, reason=exc.message)
            except NeedleApiError as exc:
                unknown = exc.status == 404 and "image_id" in query.asked
                if exc.status not in ONE_QUERYS_FAULT and not unknown:
                    raise
                yield Answer(query, reason=exc.message)

    return ask_all


def _example(name: str, stdin: Callable[[], bytes]) -> Any:
    """Return an example of the query as `Needle.search` takes it."""
    query = queries.one(name, stdin=stdin).asked
    return query.get("image", query)
