"""`needle index --dry-run`: what indexing would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from needle.cli.base import ExitCode, Shell
from needle.estimate import Extent, Sample, extent, sample
from needle.parcels import Address
from needle.progress import tally_bar
from needle.sources import Sources
from needle.wording import counted, sized

SHOWN_FAULTS = 10


def estimate(
    shell: Shell, found: Sources, address: Address, most: int | None, as_json: bool
) -> int:
    """Say how many images there are, and what they would take.

    That is the most that the index worker says of its device, or what a sample of so many took.
    """
    with shell.connect() as needle:
        what = extent(needle, found, draw=most or 0)
        for fault in what.faults[:SHOWN_FAULTS]:
            shell.say(f"not counted {fault.name}: {fault.reason}")
        if most is None:
            said = _at_most(needle.ready().get("models") or {}, what, address.profile)
        elif not what.drawn:
            raise click.UsageError(
                "There is nothing to draw a sample of: what is in archives that are given by URL "
                "is not known before they are read."
            )
        else:
            with tally_bar(shell.err, "Sample") as told:
                said = _by_sample(sample(needle, found, what.drawn, address, told), what)
    if as_json:
        shell.json({**said.facts, "left_out": dict(what.left_out), "uncounted": what.uncounted})
    else:
        unknown = f"; not counted: {counted(what.uncounted, 'archive')} given by URL"
        shell.tell(
            said.sentence + unknown * bool(what.uncounted) + left_out(what.left_out) + said.more
        )
    return ExitCode.FAILED if what.faults or said.failed else ExitCode.OK


class _Said:
    """An estimate: for programs, and in a sentence."""

    def __init__(
        self, facts: Mapping[str, Any], sentence: str, more: str = "", *, failed: bool = False
    ) -> None:
        self.facts, self.sentence, self.more, self.failed = facts, sentence, more, failed


def _at_most(models: Mapping[str, Any], what: Extent, profile: str | None) -> _Said:
    name = profile or str(models.get("profile", ""))
    each = (models.get("seconds_per_image") or {}).get(name)
    regions = (models.get("regions_per_image") or {}).get(name)
    most = None if regions is None else what.images * int(regions)
    seconds = None if each is None else what.images * float(each)
    facts = {
        "images": what.images,
        "bytes": what.bytes,
        "profile": name,
        "regions_per_image": regions,
        "regions": most,
        "seconds": seconds,
    }
    begin = _extent(what)
    if seconds is None:
        return _Said(facts, f"{begin}; no index worker has said how long one takes")
    return _Said(
        facts,
        f"{begin}, at most {regions:,} regions each (profile {name})",
        f". The networks alone take up to about {_duration(seconds)}; --sample 5 tries five "
        "images and says roughly how long all of them take.",
    )


def _extent(what: Extent) -> str:
    return f"{counted(what.images, 'image')} of {sized(what.bytes)}"


def _by_sample(seen: Sample, what: Extent) -> _Said:
    tried = seen.images + seen.failed
    good = what.images * seen.images / tried if tried else 0.0
    regions, seconds = round(good * seen.regions_per_image), what.images / seen.rate_per_s
    facts = {
        "images": what.images,
        "bytes": what.bytes,
        "regions_per_image": round(seen.regions_per_image, 1),
        "regions": regions,
        "seconds": round(seconds, 1),
        "sample": {**vars(seen), "images_per_s": round(seen.rate_per_s, 3)},
    }
    if not seen.images:
        return _Said(
            facts, f"{counted(tried, 'image')} tried, and none could be indexed", failed=True
        )
    failed = f"; {counted(seen.failed, 'image')} of the sample failed" * bool(seen.failed)
    return _Said(
        facts,
        f"{_extent(what)}: indexing takes roughly {_duration(seconds)} and makes about "
        f"{regions:,} regions, judging by {counted(tried, 'image')} indexed on trial "
        f"({seen.rate_per_s:.2f} images/s, {seen.regions_per_image:,.0f} regions each){failed}",
    )


def left_out(counts: Mapping[str, int]) -> str:
    """Say which files are no images that are read, commonest endings first: no silence on them."""
    if not counts:
        return ""
    each = [f"{count:,} {ending}" for ending, count in Counter(counts).most_common()]
    return f"; left out: {', '.join(each)}"


def _duration(seconds: float) -> str:
    """Return a time in words, as exact as an estimate is."""
    for name, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}"
    return counted(max(1, round(seconds)), "second")
