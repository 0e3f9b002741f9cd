"""The controller of a rung, and the file that keeps the controllers of a ladder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalecurve.errors import UserError
from scalecurve.routing.features import FastFeatures, Floats
from scalecurve.routing.policies import Policy, policy_from_json
from scalecurve.routing.regression import plain_numbers
from scalecurve.util.guard import regular
from scalecurve.util.text import one_line

FORMAT = 1
KEEP, SLOW, LARGER = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Controller:
    """What decides for one rung.

    An item is thought about slowly, or taken to the ``larger`` rung, where the gain is above nothing and above ``rate``
    (accuracy that one more token must bring) times the expected cost; the greater surplus decides between the two.
    ``policy`` is about slow thinking, ``larger_policy`` about the larger rung, whose cost is in this rung's tokens
    (its own times the ratio of the parameters). An answer less sure than ``abstain_below`` is withheld.
    """

    policy: Policy
    rate: float = 0.0
    label: str = ""
    larger: str = ""
    larger_policy: Policy | None = None
    abstain_below: float = 0.0

    @property
    def name(self) -> str:
        return self.label or self.policy.name

    def gain(self, items: FastFeatures) -> Floats:
        return self.policy.gain(items)

    def surplus(self, items: FastFeatures) -> Floats:
        """By how much the gain of thinking slowly is above its price; −∞ where there is no gain."""
        return _surplus(self.policy, items, self.rate)

    def defer(self, items: FastFeatures) -> NDArray[np.bool_]:
        """Where to think slowly, the larger rung left aside."""
        deferred: NDArray[np.bool_] = self.surplus(items) > 0
        return deferred

    def decide(self, items: FastFeatures) -> NDArray[np.int8]:
        """KEEP, SLOW or LARGER for each item."""
        slow = self.surplus(items)
        larger = np.full(len(items), -np.inf)
        if self.larger_policy is not None:
            larger = _surplus(self.larger_policy, items, self.rate)
        best = np.where(larger > slow, LARGER, SLOW)
        return np.where(np.maximum(slow, larger) > 0, best, KEEP).astype(np.int8)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, object] = {"policy": self.policy.to_json(), "rate": self.rate, "label": self.label}
        if self.larger_policy is not None:
            data |= {"larger": self.larger, "larger_policy": self.larger_policy.to_json()}
        return data | {"abstain_below": self.abstain_below}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Controller:
        larger = data.get("larger_policy")
        rate, least = plain_numbers([data["rate"], data["abstain_below"]], 2)
        return Controller(
            policy_from_json(data["policy"]),
            rate,
            str(data["label"]),
            str(data.get("larger", "")),
            None if larger is None else policy_from_json(larger),
            least,
        )


def worth(policy: Policy, items: FastFeatures) -> Floats:
    """Expected gain a token (a cost below one token counts as one): the greatest rate at which an item is deferred."""
    return np.asarray(policy.gain(items) / np.maximum(policy.cost(items), 1.0), float)


def _surplus(policy: Policy, items: FastFeatures, rate: float) -> Floats:
    """Gain minus price, of one token at least; −∞ where the gain is not worth the rate."""
    each = worth(policy, items)
    return np.where(each > max(rate, 0.0), (each - rate) * np.maximum(policy.cost(items), 1.0), -np.inf)


@dataclass(frozen=True, slots=True)
class Gate:
    """Which questions are refused before anything is answered: those whose margin is not above ``value``.

    ``dismissal`` "": the verdict is asked for in a dialogue (``strategies.gating``). Else it is what the model learnt
    to say to a question without an answer, scored against everything else it might say. ``false_refusal`` and
    ``recall`` are the shares of answerable and of unanswerable questions refused among the ``n`` it was fitted on.
    """

    value: float
    dismissal: str = ""
    false_refusal: float = float("nan")
    recall: float = float("nan")
    n: int = 0

    def accepts(self, margin: float) -> bool:
        return margin > self.value


@dataclass(frozen=True, slots=True)
class Controllers:
    """The controllers of a ladder by rung, the strategies they choose between, and the gates where there are some."""

    rungs: Mapping[str, Controller]
    fast: str = "direct"
    slow: str = "chain_of_thought"
    gates: Mapping[str, Gate] | None = None
    source: str = ""

    def of(self, rung: str) -> Controller:
        """The controller of ``rung``; ``UserError`` when there is none."""
        if rung not in self.rungs:
            raise UserError(f"controller: none was fitted for {rung}; there are some for {', '.join(self.rungs)}")
        return self.rungs[rung]

    def gate(self, rung: str) -> Gate | None:
        return (self.gates or {}).get(rung)

    def to_json(self) -> str:
        gates = {name: {key: getattr(one, key) for key in one.__slots__} for name, one in (self.gates or {}).items()}
        rungs = {name: one.to_json() for name, one in self.rungs.items()}
        head = {"format": FORMAT, "source": self.source, "fast": self.fast, "slow": self.slow}
        return json.dumps(_plain(head | {"gates": gates, "rungs": rungs}), ensure_ascii=False)


def load_controllers(path: str | Path) -> Controllers:
    """The controllers in a file of ``scalecurve think fit``. ``UserError`` naming the file and the fix else."""
    where = Path(path)
    try:
        data = json.loads(regular(where, 1 << 28).read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']} is not {FORMAT}")
        rungs = {name: Controller.from_json(one) for name, one in data["rungs"].items()}
        gates = {name: _gate(one) for name, one in data["gates"].items()}
        return Controllers(rungs, str(data["fast"]), str(data["slow"]), gates, str(data["source"]))
    except FileNotFoundError:
        raise UserError(f"{where}: no such file; `scalecurve think fit RUN --out {where}` makes one") from None
    except OSError as error:
        raise UserError(f"{where}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        said = one_line(error, 120)
        raise UserError(f"{where}: is no controller ({said}); make one with `scalecurve think fit RUN`") from None


def _gate(data: Mapping[str, Any]) -> Gate:
    rates = {name: float("nan") if data[name] is None else float(data[name]) for name in ("false_refusal", "recall")}
    return Gate(float(data["value"]), str(data["dismissal"]), n=int(data["n"]), **rates)


def _plain(value: object) -> Any:
    """NaN as null."""
    if isinstance(value, float):
        return value if value == value else None
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
