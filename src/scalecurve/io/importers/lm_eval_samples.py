"""The answers that lm-evaluation-harness logs, one JSON object a document and filter (0.4), or a document (0.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scalecurve.errors import UserError
from scalecurve.io.choices import (
    choice_example,
    gold_options,
    log_probability,
    prompt_and_options,
    question_of,
    split_joined,
    truth,
)
from scalecurve.io.conventions import item_score, words
from scalecurve.io.shape import Sample
from scalecurve.io.stream import json_lines, json_members
from scalecurve.types import Answer, Example

_NEEDED = ("doc_id", "target", "resps", "filtered_resps")


def samples(
    path: Path, named: Callable[[str, str], str], rolling: bool = False, kinds: Sequence[str] = ()
) -> Iterator[Sample]:
    """The lines of a samples file. ``named`` gives the name of a metric under a filter; ``rolling``: whole texts.

    ``kinds`` are the filters of the results. 0.4.0 to 0.4.6 do not say of a line which one it belongs to: then a
    document's lines belong to them in their order.
    """
    first: str | None = None
    times: dict[str, int] = {}
    for number, line in _records(path):
        where = f"{path}: line {number}"
        missing = next((key for key in _NEEDED if key not in line), None)
        if missing:
            raise UserError(f"{where}: {missing}: is missing; give the file as the harness wrote it")
        if "filter" in line or not kinds:
            kind = str(line.get("filter", "none"))
        else:
            name = str(line["doc_id"])
            times[name] = times.get(name, 0) + 1
            kind = kinds[min(times[name], len(kinds)) - 1]
        first = kind if first is None else first
        example, answer = _answered(line, where, rolling)
        listed = line.get("metrics")
        metrics = listed if isinstance(listed, list) else _metrics_of(line)
        values = {named(name, kind): line[name] for name in metrics if name in line}
        scores = {name: item_score(value) for name, value in values.items() if not isinstance(value, (list, dict, str))}
        yield Sample(example, answer, scores, str(line.get("doc_hash", "")), again=kind != first)


def _records(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """(line, record): a record a line, or as the first releases of 0.4 wrote it, one array over many lines."""
    try:
        with open(path, "rb") as file:
            start = file.read(256).lstrip()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not re.match(rb"\[\s*\{", start):
        yield from json_lines(path)
        return
    for number, record in json_members(path):
        if not isinstance(record, dict):
            raise UserError(f"{path}: element {number}: must be an object; give the file as the harness wrote it")
        yield int(number) + 1, record


def _metrics_of(line: Mapping[str, object]) -> list[str]:
    """Files before 0.4.8 do not list their metrics: what is left are numbers."""
    known = {*_NEEDED, "doc", "arguments", "filter", "doc_hash", "prompt_hash", "target_hash", "scores_per_repeat"}
    return [key for key in line if key not in known]


def _answered(line: Mapping[str, object], where: str, rolling: bool) -> tuple[Example, Answer]:
    name, asked, said = str(line["doc_id"]), _arguments(line.get("arguments")), line["resps"]
    prompt = asked[0][0] if asked else ""
    if said == [] and line.get("error"):  # our own export of an answer that failed
        example = Example(name, question_of(line.get("doc"), prompt), targets=_targets(line["target"]))
        return example, Answer(name, prompt, error=str(line["error"]))
    if not isinstance(said, list) or not said:
        raise UserError(f"{where}: resps: must be a list of responses")
    if rolling:
        example = Example(name, question_of(line.get("doc"), prompt), targets=(prompt,))
        return example, Answer(name, "", target_logprobs=(log_probability(_only(said)),))
    pairs = [_scored(one) for one in said]
    if all(pair is not None for pair in pairs):
        found = [(log_probability(pair[0]), truth(pair[1])) for pair in pairs if pair is not None]
        if len(found) > 1:
            return _chosen(name, line, asked, found)
        return _likelihood(name, line, asked, found[0])
    texts = [str(text) for text in (said[0] if isinstance(said[0], list) else said)]
    taken = line["filtered_resps"]
    taken = taken[0] if isinstance(taken, list) and taken else taken
    taken = taken[0] if isinstance(taken, list) and taken else taken
    response = None if not isinstance(taken, str) or taken == "[invalid]" else taken
    example = Example(name, question_of(line.get("doc"), prompt), targets=_targets(line["target"]))
    return example, Answer(
        name,
        prompt,
        text=texts[0],
        response=response,
        samples=tuple(texts) if len(texts) > 1 else (),
        generated_tokens=sum(map(words, texts)),
        flags=("tokens_are_words",),
    )


def _chosen(
    name: str, line: Mapping[str, object], asked: list[tuple[str, str]], found: list[tuple[float, bool]]
) -> tuple[Example, Answer]:
    """A multiple-choice question. (For acc_mutual_info the second half of the requests has no context: not ours.)"""
    if len(asked) == len(found) and len(asked) % 2 == 0 and _repeats(asked):
        asked, found = asked[: len(asked) // 2], found[: len(found) // 2]
    prompt, options = prompt_and_options(asked) if len(asked) == len(found) else ("", ("",) * len(found))
    doc = line.get("doc")
    listed = doc.get("choices") if isinstance(doc, dict) else None
    gold = gold_options(line["target"], options)
    if not gold and isinstance(listed, list) and len(listed) == len(options):
        gold = gold_options(line["target"], [str(one) for one in listed])
    if line.get("acc") in (0, 1) and (_best(found) in gold) != bool(line["acc"]):  # then digits were no position
        gold = gold_options(line["target"], options, digits_are_text=True)
    example = choice_example(name, question_of(doc, prompt), options, gold if asked else ())
    answer = Answer(
        name,
        prompt,
        options=options,
        option_logprobs=tuple(value for value, _ in found),
        option_greedy=tuple(greedy for _, greedy in found),
        flags=() if example.options else ("unknown_gold",),
    )
    return example, answer


def _best(found: list[tuple[float, bool]]) -> int:
    values = [value for value, _ in found]
    return values.index(max(values))


def _repeats(asked: list[tuple[str, str]]) -> bool:
    """Whether the second half asks the same continuations after another context."""
    half = len(asked) // 2
    same = all(asked[at][1] == asked[at + half][1] for at in range(half))
    return same and asked[0][0] != asked[half][0] and len({rest for _, rest in asked[:half]}) == half


def _likelihood(
    name: str, line: Mapping[str, object], asked: list[tuple[str, str]], found: tuple[float, bool]
) -> tuple[Example, Answer]:
    """One continuation, or one whole text (rolling), of which the log-probability was asked."""
    prompt, rest = asked[0] if asked else ("", "")
    target = rest or str(line["target"])
    return (
        Example(name, question_of(line.get("doc"), prompt), targets=(target,)),
        Answer(name, prompt, target_logprobs=(found[0],), option_greedy=(found[1],)),
    )


def _only(value: object) -> Any:
    """What lists of one element hold."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _scored(response: object) -> tuple[object, object] | None:
    """(log-probability, is greedy) of a response such as [["-3.2", "False"]]; None for generated text."""
    one = response
    while isinstance(one, list) and len(one) == 1 and isinstance(one[0], list):
        one = one[0]
    if isinstance(one, list) and len(one) == 2 and str(one[1]) in ("True", "False", "true", "false"):
        return one[0], one[1]
    return None


def _arguments(given: object) -> list[tuple[str, str]]:
    """(context, continuation) of each request; both layouts: {"gen_args_0": {"arg_0": …}}, and a list of lists."""
    requests = list(given.values()) if isinstance(given, dict) else given if isinstance(given, list) else []
    found = []
    for request in requests:
        args = list(request.values()) if isinstance(request, dict) else request if isinstance(request, list) else []
        texts = [one if isinstance(one, str) else "" for one in args[:2]]
        found.append((texts[0] if texts else "", texts[1] if len(texts) > 1 else ""))
    return found


def _targets(target: object) -> tuple[str, ...]:
    if isinstance(target, list):
        return tuple(map(str, target))
    text = str(target)
    if text[:1] == "[" and text[-1:] == "]":  # the harness writes lists as Python does
        found = gold_texts(text)
        return found if found else (text,)
    return (text,)


def gold_texts(text: str) -> tuple[str, ...]:
    """The texts of a list written as Python writes it; empty when it is none."""
    import ast

    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple(found) if isinstance(found, list) and all(isinstance(one, str) for one in found) else ()


def old_samples(path: Path) -> Iterator[Sample]:
    """The documents of a ``write_out`` file of 0.3: prompt_0, logit_0, …, truth, and metrics written as text."""
    for number, doc in json_members(path):
        if not isinstance(doc, dict) or "doc_id" not in doc:
            raise UserError(f"{path}: [{number}].doc_id: is missing; give the file as the harness wrote it")
        name = str(doc["doc_id"])
        count = sum(key.startswith("logit_") for key in doc)
        prompts = [str(doc.get(f"prompt_{at}", "")) for at in range(count)]
        said = [doc[f"logit_{at}"] for at in range(count) if f"logit_{at}" in doc]
        known = {"doc_id", "truth"}
        texts = {
            key: value for key, value in doc.items() if key not in known and not key.startswith(("prompt_", "logit_"))
        }
        scores = {key: item_score(_number(value)) for key, value in texts.items()}
        yield Sample(*_old_answer(name, doc.get("truth"), prompts, said), scores)


def _old_answer(name: str, gold: object, prompts: list[str], said: list[Any]) -> tuple[Example, Answer]:
    if said and all(isinstance(one, int | float) and not isinstance(one, bool) for one in said) and len(said) > 1:
        prompt, options = split_joined(prompts)
        example = choice_example(name, prompt, options, gold_options(gold, options))
        return example, Answer(name, prompt, options=options, option_logprobs=tuple(map(log_probability, said)))
    prompt = prompts[0] if prompts else ""
    targets = () if gold is None else (str(gold),)
    if said and isinstance(said[0], str):
        text = said[0]
        flags = ("tokens_are_words",)
        return Example(name, prompt, targets=targets), Answer(
            name, prompt, text=text, response=text.strip(), generated_tokens=words(text), flags=flags
        )
    likely = tuple(log_probability(one) for one in said[:1])
    return Example(name, prompt, targets=targets), Answer(name, prompt, target_logprobs=likely)


def _number(value: object) -> Any:
    if isinstance(value, str):
        try:
            return float({"True": "1", "False": "0"}.get(value, value))
        except ValueError:
            return value
    return value
