"""What a request may ask of its answers: the most likely labels only, no probabilities, other thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weitiao.messages import _
from weitiao.records import Prediction
from weitiao.serving.body import RequestError, reason_of, shown
from weitiao.serving.predictor import Predictor
from weitiao.tables import did_you_mean
from weitiao.tasks import Settings

SCORES = "scores"  # the field of a Prediction that has a probability a label
THRESHOLDS = "thresholds"  # of the settings: one a label


class Options(BaseModel):
    """Beside the records of a request."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    top_k: int | None = Field(
        default=None, ge=1, description="keep the probabilities of so many labels, the most likely ones"
    )
    probabilities: bool = Field(default=True, description="false leaves `scores` empty")
    thresholds: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = Field(
        default=None, description="in place of those found on dev: by label, or by the name of the setting"
    )

    @classmethod
    def read(cls, beside: Mapping[str, Any], query: Mapping[str, str]) -> Options:
        """Those in the body, and `top_k` and `probabilities` in the address, which go before.

        Raises:
            RequestError: one cannot be used (422).
        """
        try:
            return cls.model_validate({**beside, **_of_query(query)})
        except ValidationError as error:
            field, reason = reason_of(error)
            raise RequestError(422, _("`{field}`: {reason}").format(field=field, reason=reason), param=field) from error

    def settings(self, predictor: Predictor) -> Settings | None:
        """The predictor's settings with other thresholds; None where they stay.

        Raises:
            RequestError: the model has no such threshold (422).
        """
        if self.thresholds is None:
            return None
        found = dict(predictor.settings)
        labels = dict(found.get(THRESHOLDS, {}))
        single = [name for name, value in found.items() if isinstance(value, int | float)]
        for name, value in self.thresholds.items():
            if name in labels:
                labels[name] = value
            elif name in single:
                found[name] = value
            else:
                raise RequestError(422, _no_threshold(name, [*labels, *single]), param=THRESHOLDS)
        return {**found, THRESHOLDS: labels} if labels else found

    def check(self, predictor: Predictor) -> None:
        """Refuse what the model's answers cannot follow.

        Raises:
            RequestError: `top_k` where answers have no probability a label (422).
        """
        if self.top_k is not None and SCORES not in predictor.task.prediction.model_fields:
            reason = _("`top_k`: the answers of the task {task} have no probability of each label")
            raise RequestError(422, reason.format(task=predictor.task.name), param="top_k")

    def shown(self, prediction: Prediction) -> dict[str, Any]:
        """A prediction as JSON, with the probabilities that are wanted."""
        said = prediction.model_dump(mode="json")
        if SCORES in said:
            scores = said[SCORES] if self.probabilities else {}
            kept = sorted(scores, key=lambda label: -scores[label])[: self.top_k]
            said[SCORES] = scores if self.top_k is None else {label: scores[label] for label in kept}
        return {name: _finite(value) for name, value in said.items()}


def _of_query(query: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in query.items():
        if name == "top_k":
            found[name] = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else value
        elif name == "probabilities":
            found[name] = {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
        else:
            expected = "top_k, probabilities"
            reason = _("no option '{name}' in the address; expected: {names}").format(name=shown(name), names=expected)
            raise RequestError(422, reason)
    return found


def _no_threshold(name: str, known: list[str]) -> str:
    if not known:
        return _("`thresholds`: this model has none")
    hint = did_you_mean(name, known) or _("; expected one of: {names}").format(names=", ".join(known))
    return _("`thresholds`: there is none named '{name}'{hint}").format(name=shown(name), hint=hint)


def _finite(value: Any) -> Any:
    """JSON has no NaN: a number that is none becomes null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
