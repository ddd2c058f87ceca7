"""`needle tag`: the tags of images that are indexed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from needle.cli.base import (
    Command,
    ExitCode,
    Shell,
    collection_option,
    filter_option,
    json_option,
    pass_shell,
)
from needle.cli.tables import IMAGE_COLUMNS, image_rows, images_table
from needle.cli.values import Id, tag_value
from needle.ids import DEFAULT_COLLECTION

EXAMPLES = """
needle tag IMAGE_ID shop=Basel year=2024
needle tag IMAGE_ID shop=                  # takes the tag away
needle tag IMAGE_ID 'colours=["red", "blue"]'   # several values: a list in JSON
needle tag --name holiday/ place=Lugano    # every image with that in its path
needle tag --filter shop=Bsael shop=Basel
"""


@click.command(cls=Command, short_help="Change the tags of images.", examples=EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="[IMAGE_ID...] KEY=VALUE...")
@click.option("--name", metavar="PART", help="Every image with this in its path.")
@filter_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@collection_option
@json_option
@pass_shell
def tag(
    shell: Shell,
    words: Sequence[str],
    name: str | None,
    wanted: dict[str, Any] | None,
    yes: bool,
    collection: str | None,
    as_json: bool,
) -> int:
    """Change the tags of images: values are replaced, and KEY= takes a tag away.

    A tag of several values is a list of texts in JSON; --filter finds the image by each. Tags that
    are not named stay; the API calls them metadata. The images are those named by id, or those that
    --name and --filter find.
    """
    named = [Id().convert(word, None, None) for word in words if "=" not in word]
    image_ids = list(dict.fromkeys(named))
    metadata = dict(_pair(word) for word in words if "=" in word)
    if not metadata:
        raise click.UsageError("Say what to change, as KEY=VALUE; KEY= takes a tag away.")
    if bool(image_ids) == bool(name or wanted):
        raise click.UsageError("Name the images by their ids, or by --name and --filter.")
    with shell.connect() as needle:
        shell.check_collection(needle, collection)
        if not image_ids:
            found = needle.images(collection=collection, name=name, filter=wanted)
            image_ids = [image.image_id for image in found]
            where = collection or DEFAULT_COLLECTION
            question = f"Change {len(image_ids):,} images of '{where}'?"
            if image_ids and not shell.confirmed(question, yes=yes):
                shell.say("Nothing is changed.")
                return ExitCode.OK
        changed = [needle.tag(each, metadata, collection=collection) for each in image_ids]
    if as_json:
        shell.json([asdict(image) for image in changed])
        return ExitCode.OK
    shell.table(lambda: images_table(changed), image_rows(changed), IMAGE_COLUMNS)
    shell.say(f"{len(changed):,} changed")
    return ExitCode.OK


def _pair(word: str) -> tuple[str, Any]:
    key, _, value = word.partition("=")
    if not key.strip():
        raise click.UsageError(f"{word!r} is not KEY=VALUE.")
    return key.strip(), tag_value(value) if value else None
