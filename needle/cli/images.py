"""`needle images`, `show`, `delete`, `collections`: what is indexed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

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
from needle.cli.tables import collections_table, images_table, moment, values_table
from needle.indexed import Image

SORTS = ("newest", "oldest", "name", "date")
IMAGES_EXAMPLES = """
needle images                     # the newest twenty
needle images --name shelf --filter shop=Basel
needle images --sort name
needle images -n 1000 --json | jq -r '.images[].filename'
"""
SHOW_EXAMPLES = """
needle show IMAGE_ID
needle show IMAGE_ID --save image.jpg   # the image itself, byte for byte
"""
COLLECTIONS_EXAMPLES = """
needle collections --json | jq -r '.[].name'
needle collections --delete trial
"""
DELETE_EXAMPLES = """
needle delete IMAGE_ID ANOTHER_ID
needle delete --all --collection trial --yes
"""


@click.command(cls=Command, examples=IMAGES_EXAMPLES)
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--name", metavar="PART", help="Only those with this in their path.")
@click.option("--sort", type=click.Choice(SORTS), help="Which come first.")
@filter_option
@collection_option
@json_option
@pass_shell
def images(
    shell: Shell,
    limit: int,
    name: str | None,
    sort: str | None,
    wanted: dict[str, Any] | None,
    collection: str | None,
    as_json: bool,
) -> int:
    """List the indexed images, newest first unless --sort says otherwise."""
    with shell.connect() as needle:
        total = needle.count(collection=collection)
        found = list(
            needle.images(collection=collection, name=name, filter=wanted, sort=sort, limit=limit)
        )
    if as_json:
        shell.json({"images": [asdict(image) for image in found], "total": total})
        return ExitCode.OK
    shell.out.print(images_table(found))
    shell.say(f"{len(found):,} of {total:,} images")
    return ExitCode.OK


@click.command(cls=Command, examples=SHOW_EXAMPLES)
@click.argument("image_id")
@click.option("--save", type=file_type, help="Write the image into this file.")
@collection_option
@json_option
@pass_shell
def show(
    shell: Shell, image_id: str, save: Path | None, collection: str | None, as_json: bool
) -> int:
    """Show one indexed image."""
    with shell.connect() as needle:
        image = needle.image(image_id, collection=collection)
        if save:
            save.write_bytes(needle.file(image_id, collection=collection))
    if as_json:
        shell.json(asdict(image))
    else:
        shell.out.print(values_table(_described(image)))
    return ExitCode.OK


def _described(image: Image) -> dict[str, object]:
    return {
        "image id": image.image_id,
        "image": "\n".join(image.paths),
        "size": f"{image.width} x {image.height} px, {image.bytes:,} bytes",
        "regions": image.regions,
        "indexed": moment(image.indexed_at) or "not yet",
        "metadata": image.metadata,
    }


@click.command(cls=Command, short_help="Delete images from the index.", examples=DELETE_EXAMPLES)
@click.argument("image_ids", nargs=-1, metavar="IMAGE_ID...")
@click.option("--all", "everything", is_flag=True, help="Every image of the collection.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@collection_option
@pass_shell
def delete(
    shell: Shell, image_ids: Sequence[str], everything: bool, yes: bool, collection: str | None
) -> int:
    """Delete images from the index: their regions and the service's copies of their files."""
    if bool(image_ids) == everything:
        raise click.UsageError("Name the images to delete, or say --all.")
    with shell.connect() as needle:
        if everything:
            image_ids = [image.image_id for image in needle.images(collection=collection)]
        if everything and not yes:
            question = f"Delete {len(image_ids):,} images of '{collection or 'default'}'?"
            if not click.confirm(question, err=True):
                shell.say("Nothing is deleted.")
                return ExitCode.OK
        for image_id in image_ids:
            needle.delete(image_id, collection=collection)
    shell.out.print(f"{len(image_ids):,} deleted")
    return ExitCode.OK


@click.command(
    cls=Command, short_help="List, create or delete collections.", examples=COLLECTIONS_EXAMPLES
)
@click.option("--create", metavar="NAME", help="Create one, bound to the encoder in use.")
@click.option("--delete", "deleted", metavar="NAME", help="Delete one, with all its images.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_shell
def collections(
    shell: Shell, create: str | None, deleted: str | None, yes: bool, as_json: bool
) -> int:
    """List the collections. One begins with the first image that is indexed into it."""
    with shell.connect() as needle:
        if create:
            needle.create_collection(create)
        question = f"Delete the collection '{deleted}' with all its images?"
        if deleted and (yes or click.confirm(question, err=True)):
            needle.delete_collection(deleted)
        found = needle.collections()
    if as_json:
        shell.json([asdict(each) for each in found])
    else:
        shell.out.print(collections_table(found))
    return ExitCode.OK
