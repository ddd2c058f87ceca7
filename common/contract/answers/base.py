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


class Problem(Answer):
    """What went wrong; some codes have details, which are fields of their own."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(description="What kind of problem it is, for programs.")
    message: Said = Field(description="What went wrong, in one sentence for people.")


class Error(Answer):
    """Every answer of a status from 400 on."""

    model_config = ConfigDict(extra="forbid")

    error: Problem = Field(description="What went wrong.")
