"""`needle images`, `show`, `delete`, `collections`: what is indexed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from needle.api import Needle
from needle.cli.base import (
    Command,
    ExitCode,
    Shell,
    collection_option,
    complete_collection,
    file_type,
    filter_option,
    json_option,
    pass_shell,
)
from needle.cli.tables import (
    COLLECTION_COLUMNS,
    IMAGE_COLUMNS,
    VALUE_COLUMNS,
    add,
    collection_rows,
    collections_table,
    image_rows,
    images_table,
    moment,
    path_lines,
    stamp,
    value_rows,
    values_table,
)
from needle.cli.values import CollectionName, Id
from needle.ids import DEFAULT_COLLECTION
from needle.indexed import Image
from needle.wording import counted, sized

NAMED = 3
"""So many images are named before they are deleted."""
SORTS = ("newest", "oldest", "name", "date")
IMAGES_EXAMPLES = """
needle images                     # the newest twenty
needle images --name shelf --filter shop=Basel
needle images --sort name
needle images -n 1000 | cut -f 3                # the paths: in a pipe, columns end with tabs
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
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="At most so many images.",
)
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
        shell.check_collection(needle, collection)
        total = needle.count(collection=collection)
        found = list(
            needle.images(collection=collection, name=name, filter=wanted, sort=sort, limit=limit)
        )
    if as_json:
        shell.json({"images": [asdict(image) for image in found], "total": total})
        return ExitCode.OK
    shell.table(lambda: images_table(found), image_rows(found), IMAGE_COLUMNS)
    shell.say(f"{len(found):,} of {counted(total, 'image')}")
    return ExitCode.OK


@click.command(cls=Command, examples=SHOW_EXAMPLES)
@click.argument("image_id", type=Id())
@click.option("--save", type=file_type, help="Write the image into this file.")
@collection_option
@json_option
@pass_shell
def show(
    shell: Shell, image_id: str, save: Path | None, collection: str | None, as_json: bool
) -> int:
    """Show one indexed image."""
    with shell.connect() as needle:
        shell.check_collection(needle, collection)
        image = needle.image(image_id, collection=collection)
        if save:
            save.write_bytes(needle.file(image_id, collection=collection))
    if as_json:
        shell.json(asdict(image))
    else:
        values = asdict(image) | {"indexed_at": stamp(image.indexed_at)}
        del values["urls"]
        shell.table(lambda: _described(image), value_rows(values), VALUE_COLUMNS)
    return ExitCode.OK


def _described(image: Image) -> Table:
    facts = {
        "image id": image.image_id,
        "size": f"{image.width} x {image.height} px, {sized(image.bytes)}",
        "regions": image.regions,
        "indexed": moment(image.indexed_at) or "not yet",
        "tags": image.metadata,
    }
    table = values_table(facts)
    add(table, "image", path_lines(image.paths))
    return table


@click.command(cls=Command, short_help="Delete images from the index.", examples=DELETE_EXAMPLES)
@click.argument("image_ids", nargs=-1, type=Id(), metavar="IMAGE_ID...")
@click.option("--all", "everything", is_flag=True, help="Every image of the collection.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@collection_option
@pass_shell
def delete(
    shell: Shell, image_ids: Sequence[str], everything: bool, yes: bool, collection: str | None
) -> int:
    """Delete images from the index: their regions and the service's copies of their files.

    It asks first; where there is no terminal to ask on, it wants --yes.
    """
    if bool(image_ids) == everything:
        raise click.UsageError("Name the images to delete, or say --all.")
    with shell.connect() as needle:
        shell.check_collection(needle, collection)
        found = _named(needle, image_ids, collection)
        names = ", ".join(image.path for image in found[:NAMED])
        more = ", ..." if len(found) > NAMED else ""
        where = collection or DEFAULT_COLLECTION
        what = f"{counted(len(found), 'image')} of '{where}' ({names}{more})"
        if found and not shell.confirmed(f"Delete {what}?", yes=yes):
            shell.say("Nothing is deleted.")
            return ExitCode.OK
        for image in found:
            needle.delete(image.image_id, collection=collection)
    shell.tell(f"{len(found):,} deleted")
    return ExitCode.OK


def _named(needle: Needle, image_ids: Sequence[str], collection: str | None) -> list[Image]:
    """Return the images named, all of them where none is. One that is not there ends it all."""
    if not image_ids:
        return list(needle.images(collection=collection))
    return [needle.image(each, collection=collection) for each in dict.fromkeys(image_ids)]


@click.command(
    cls=Command, short_help="List, create or delete collections.", examples=COLLECTIONS_EXAMPLES
)
@click.option(
    "--create",
    type=CollectionName(),
    metavar="NAME",
    help="Create one, bound to the encoder in use.",
)
@click.option(
    "--delete",
    "deleted",
    type=CollectionName(),
    metavar="NAME",
    shell_complete=complete_collection,
    help="Delete one, with all its images.",
)
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
        if deleted:
            _delete_collection(shell, needle, deleted, yes)
        found = needle.collections()
    if as_json:
        shell.json([asdict(each) for each in found])
    else:
        shell.table(lambda: collections_table(found), collection_rows(found), COLLECTION_COLUMNS)
    return ExitCode.OK


def _delete_collection(shell: Shell, needle: Needle, name: str, yes: bool) -> None:
    shell.check_collection(needle, name)
    if shell.confirmed(f"Delete the collection '{name}' with all its images?", yes=yes):
        needle.delete_collection(name)
    else:
        shell.say("Nothing is deleted.")
