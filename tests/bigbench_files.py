"""BIG-bench task files for tests: the six shipped ones unpacked, and the golden model that answers by hash."""

import gzip
import hashlib
from pathlib import Path

from scalecurve.types import Answer, Example, Task

FIXTURES = Path(__file__).parent / "fixtures" / "bigbench"
ANSWERABILITY = Path(__file__).parent / "fixtures" / "answerability"


def unpack(folder: Path, packed_tasks: Path = FIXTURES) -> Path:
    """Write the tasks as ``folder/<task>/[<subtask>/]task.json``."""
    for packed in packed_tasks.rglob("task.json.gz"):
        plain = folder / packed.relative_to(packed_tasks).with_suffix("")
        plain.parent.mkdir(parents=True, exist_ok=True)
        plain.write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


def share(text: str) -> float:
    """The golden model's h(s): the first 8 bytes of the SHA-256, as a fraction of 2^64."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def golden_answer(task: Task, example: Example, prompt: str) -> Answer:
    """The golden model's answer to one prompt, with everything scored."""
    from scalecurve.tasks.postprocess import postprocess

    text = "" if share(prompt) < 0.5 else "no idea"
    return Answer(
        example_id=example.id,
        prompt=prompt,
        options=example.options,
        option_logprobs=tuple(-10 * share(f"{prompt}\x1f{option}") for option in example.options),
        target_logprobs=tuple(-10 * share(f"{prompt}\x1f{target}") for target in example.targets),
        text=text,
        response=postprocess(text, task.postprocess),
    )
