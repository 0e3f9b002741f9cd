"""What a study gives its models at answer time: budgets of steps, thinking or samples, or levels of reasoning."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Budget = Annotated[int, Field(ge=1)]
Level = Annotated[str, Field(min_length=1)]


class Effort(BaseModel):
    """What models are given at answer time: one of these, with at least two values in ascending order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step_tokens: tuple[Budget, ...] = Field((), description="Tokens of written-out steps.")
    thinking_tokens: tuple[Annotated[int, Field(ge=0)], ...] = Field((), description="Tokens of thinking.")
    samples: tuple[Budget, ...] = Field((), description="Samples that vote (self_consistency).")
    effort: tuple[Level, ...] = Field((), description="Levels of reasoning, from low to high, as a server names them.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = self.values()
        if len(given) != 1:
            raise ValueError(
                f"give one of {', '.join(type(self).model_fields)}, as effort = {{ step_tokens = [16, 64] }}"
            )
        ((name, values),) = given.items()
        if len(values) < 2 or len(set(values)) < len(values):
            raise ValueError(f"{name}: give at least two different values; they are the points of a curve")
        if name != "effort" and sorted(values, key=int) != list(values):
            raise ValueError(f"{name}: give the values in ascending order")
        return self

    def values(self) -> dict[str, tuple[int | str, ...]]:
        """The setting that varies, and its values."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name)}
