"""What all answers have in common, and what went wrong."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from common.contract.fields import Said

Wider = TypeVar("Wider", bound=BaseModel)


class Answer(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(frozen=True)


def widened(found: BaseModel, wider: type[Wider], **more: object) -> Wider:
    """Return a value as a model that has the same fields and some `more`; none is checked again."""
    set_fields = found.model_fields_set | more.keys()
    return wider.model_construct(set_fields, **{**vars(found), **more})


class FieldFault(Answer):
    """What is wrong with a field of a request."""

    field: str = Field(description="The field; a field within it after a dot.")
    reason: str = Field(description="What is wrong with it.")


class ItemFault(Answer):
    """Why an image of a request cannot be taken."""

    model_config = ConfigDict(extra="allow")

    name: Said = Field(description="The client's name for the image.")
    code: str = Field(description="What kind of problem it is, for programs.")
    message: Said = Field(description="What went wrong, in one sentence for people.")


class Problem(Answer):
    """What went wrong. Codes may have details: those below, and others."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(description="What kind of problem it is, for programs.")
    message: Said = Field(description="What went wrong, in one sentence for people.")
    fields: list[FieldFault] = Field(
        default_factory=list, description="With `bad_request`: the fields that are wrong."
    )
    items: list[ItemFault] = Field(
        default_factory=list,
        description="Where a request holds no image that can be taken: the first faults.",
    )
    job_id: str | None = Field(
        default=None, description="With `being_deleted`: the job that deletes the collection."
    )
    retry_after_s: int | None = Field(
        default=None, description="With `overloaded`: after how many seconds to try again."
    )


class Error(Answer):
    """Every answer of a status from 400 on."""

    model_config = ConfigDict(extra="forbid")

    error: Problem = Field(description="What went wrong.")
