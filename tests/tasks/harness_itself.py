"""lm-evaluation-harness itself, with the mock's answers: ``python harness_itself.py ORDERS.json RESULTS.json``.

Orders: ``{"files": {task: path}, "options": of the mock}``. Results: by task, its samples and its totals.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

from lm_eval import evaluator, simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
from lm_eval.utils import handle_non_serializable

from scalecurve.models.mock import MockModel
from scalecurve.types import Output, Request, Rung


class Mocked(LM):
    """The mock as a model of the harness. Continuations of one document and context are asked together, as here."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.mock = MockModel(Rung("m", "mock", "mock", options=options))
        self.asked: list[Any] = []

    def _ask(self, requests: list[Request]) -> list[Output]:
        outputs: list[Output] = [Output()] * len(requests)
        self.mock.run(requests, outputs.__setitem__)
        return outputs

    def loglikelihood(self, requests: Any) -> list[tuple[float, bool]]:
        groups: dict[tuple[int, str], list[int]] = {}
        for at, one in enumerate(requests):
            groups.setdefault((one.doc_id, one.args[0]), []).append(at)
        found: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        for (_, context), places in groups.items():
            own = {at for at in places if len({requests[at].args[0] for at in every(requests, at)}) == 1}
            for batch in [places] if own == set(places) else [[at] for at in places]:
                (output,) = self._ask([Request(context, options=tuple(requests[at].args[1] for at in batch))])
                for at, sums, greedy in zip(batch, output.logprobs, output.greedy, strict=True):
                    found[at] = sums, greedy
        return found

    def generate_until(self, requests: Any) -> list[str]:
        asked = []
        for one in requests:
            context, settings = one.args
            until = settings.get("until", [])
            until = [until] if isinstance(until, str) else until
            asked.append(Request(context, max_tokens=settings.get("max_gen_toks", 256), stop=tuple(until)))
        return [output.texts[0] for output in self._ask(asked)]

    def loglikelihood_rolling(self, requests: Any) -> list[float]:
        raise AssertionError("no chosen task asks for rolling likelihoods; the harness's class demands the method")


def every(requests: Any, at: int) -> list[int]:
    return [other for other, one in enumerate(requests) if one.doc_id == requests[at].doc_id]


def main() -> None:
    logging.disable(logging.CRITICAL)
    evaluator.add_env_info = lambda storage: None  # it asks pip for its packages after every task
    orders = json.loads(Path(sys.argv[1]).read_text())
    manager, results = TaskManager(include_defaults=False), {}
    for task, path in orders["files"].items():
        done = simple_evaluate(
            model=Mocked(orders["options"]),
            tasks=[path],
            task_manager=manager,
            bootstrap_iters=0,
            log_samples=True,
            confirm_run_unsafe_code=True,
        )
        (name,) = done["samples"]
        results[task] = {"samples": done["samples"][name], "totals": done["results"][name]}
    Path(sys.argv[2]).write_text(json.dumps(results, default=handle_non_serializable))


if __name__ == "__main__":
    main()
