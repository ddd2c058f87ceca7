"""Whether the service is there, as answers."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from common.contract.answers.base import Answer, Problem


class Alive(Answer):
    """The process answers."""

    status: Literal["alive"] = Field(description="Always `alive`.")


class Models(Answer):
    """The models in use."""

    model_config = ConfigDict(extra="allow")

    name: str = Field("", description="The name of the model pack.")
    detector: str | None = Field(
        default=None, description="The detector; null where there is none."
    )
    encoder: str = Field("", description="The encoder.")
    dim: int = Field(default=0, description="How many numbers an embedding has.")
    has_text: bool = Field(default=False, description="Whether a text can be searched for.")
    has_kinds: bool = Field(default=False, description="Whether the pack tells kinds from things.")
    device: str = Field("", description="What the models compute on.")
    precision: str = Field("", description="What the networks compute in.")
    profile: str = Field("", description="The profile of a request that names none.")
    regions_per_image: dict[str, int] = Field(
        default_factory=dict,
        description="The most regions of an image by profile, as far as this device has time.",
    )
    seconds_per_image: dict[str, float] = Field(
        default_factory=dict,
        description="How long the networks take at most, about, for an image, by profile.",
    )


class Readiness(Answer):
    """Whether everything is there. The status is 503 until it is."""

    status: Literal["ready", "starting", "unavailable"] = Field(
        description="`ready`, `starting` until both kinds of worker are there, or `unavailable`."
    )
    redis: bool = Field(description="Whether Redis answers.")
    workers: dict[str, int] = Field(
        default_factory=dict, description="How many workers of each role are there."
    )
    queues: dict[str, int] = Field(
        default_factory=dict, description="How many tasks wait on each queue."
    )
    models: Models | None = Field(
        default=None, description="The models in use; null until a worker has said which."
    )
    bulk: list[str] = Field(
        default_factory=list,
        description="The collections in bulk mode: nothing of them is indexed until it ends. Where "
        "the service wants keys, they are named to a caller with one alone.",
    )
    bulk_count: int = Field(default=0, description="How many collections are in bulk mode.")
    error: Problem | None = Field(default=None, description="What is not there.")
    problems: list[Problem] = Field(
        default_factory=list,
        description="What the service works in spite of, and somebody has to see to: `disk_full` "
        "(it takes no images), `index_unreadable` (a part of the index was set aside).",
    )
