"""What looking after the service has found or made, as answers."""

from __future__ import annotations

from pydantic import Field

from common.contract.answers.base import Answer
from common.contract.fields import ImagePart, Said


class DamagedImage(Answer):
    """An image of the list of which something is missing."""

    image_id: str = Field(description="The id of the image.")
    filename: Said = Field(description="The name of its file.")
    missing: list[ImagePart] = Field(description="What is missing, or is not as it should be.")


class OrphanedImage(Answer):
    """An image that is not in the list, and of which something is there all the same."""

    image_id: str = Field(description="The id of the image.")
    found: list[ImagePart] = Field(description="What is there.")


class Verified(Answer):
    """How the list of a collection agrees with its files, points and words."""

    collection: str = Field(description="The collection.")
    images: int = Field(description="How many images are in the list.")
    whole: int = Field(description="Of how many of them everything is there.")
    waiting: int = Field(
        description="How many more images are stored and not indexed yet, or never were."
    )
    damaged: int = Field(description="Of how many images of the list something is missing.")
    missing: dict[ImagePart, int] = Field(
        description="Of how many images each thing is missing; what none lacks is left out."
    )
    orphaned: int = Field(
        description="Of how many images that are not in the list something is there."
    )
    stray_points: int = Field(
        description="How many points say of no image that they are its points."
    )
    damaged_images: list[DamagedImage] = Field(description="The first thousand of the damaged.")
    orphaned_images: list[OrphanedImage] = Field(description="The first thousand of the orphaned.")
    beyond_repair: list[str] = Field(
        description="The ids of damaged images, at most a thousand, whose own file is missing: "
        "they have to be posted again."
    )
    removed: int = Field(
        description="With `repair`: of how many images that are not in the list everything was "
        "removed."
    )
    repair_job: str | None = Field(
        description="With `repair`: the job that indexes the damaged images again; null where "
        "there are none, or nothing was to be repaired."
    )
    note: str | None = Field(description="What was not repaired, and why; else null.")


class BackedUp(Answer):
    """A backup that was made, and waits to be fetched."""

    images: int = Field(description="How many images it has.")
    collections: int = Field(description="How many collections it has.")
    has_vectors: bool = Field(
        description="Whether it has their points and words. Those on a Qdrant server it has not: "
        "after it is restored, `verify` with `repair` makes them again."
    )
