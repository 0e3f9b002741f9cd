"""How a yes/no question is best put to a small chat model: form of the prompt, and the prior of an empty text.

    python benchmarks/query_forms.py REVIEWS.csv BBH/tasks [--model smollm2-135m | gemma3-270m] [--each 80]

Labelled sets: whether a review of a film is positive (SemBench), whether a made sentence is a complaint, whether a
sentence is about sports (BIG-Bench Hard's against reviews), and whether it is plausible (the same sentences). Half of
each, by turns, chooses; the other half tests. Every form is asked of one llama.cpp server, which tells the twenty
likeliest first tokens. A score is the log-odds of yes; *raw* says yes above 0, *calibrated* above the mean score of the
same question about three texts without content (Zhao et al. 2021, arXiv:2102.09690). AUC is what no threshold changes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from query_versus import Proxy, served, table

FORMS = {
    "question, text, answer": "{q}\n{t}\nAnswer yes or no.",
    "text, question, answer": "{t}\n{q}\nAnswer yes or no.",
    "labelled": "Text: {t}\nQuestion: {q} Answer yes or no.",
    "answer, question, text": "Answer yes or no. {q}\n{t}",
}
EMPTY = ("", "N/A", "[MASK]")
COMPLAINTS = ("arrived broken", "three hours", "smoke", "too much", "never came", "fell apart")
Labelled = list[tuple[str, bool]]


def sets(reviews: Path, bbh: Path, each: int) -> dict[str, tuple[str, Labelled]]:
    """A question and labelled texts by the name of each set, half of them yes."""
    read = pl.read_csv(reviews).filter(pl.col("reviewText").str.len_chars().is_between(40, 300)).sort("reviewId")
    films = [(row["reviewText"], row["scoreSentiment"] == "POSITIVE") for row in read.iter_rows(named=True)]
    sentences = []
    for example in json.loads((bbh / "sports_understanding.json").read_text())["examples"]:
        begin = example["input"].index('"')
        sentences.append((example["input"][begin:].strip('"'), example["target"] == "yes"))
    made = [(text, any(word in text for word in COMPLAINTS)) for text in table(200, 200)["txt"]]
    topics = [(text, True) for text, _ in sentences] + [(text, False) for text, _ in films[::7]]
    found = {
        "positive review": ("Is this review of a film positive?", films),
        "complaint": ("Is this a complaint?", made),
        "sports": ("Is this text about sports?", topics),
        "plausible": ("Is this sentence plausible?", sentences),
    }
    return {name: (question, _balanced(texts, each)) for name, (question, texts) in found.items()}


def _balanced(texts: Labelled, each: int) -> Labelled:
    sides = [[one for one in texts if one[1] is side][: each // 2] for side in (True, False)]
    return [one for pair in zip(*sides, strict=True) for one in pair]


def ask(proxy: Proxy, prompt: str) -> tuple[float, int]:
    """The log-odds of yes, and the tokens it took."""
    body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 1, "temperature": 0, "logprobs": True,
            "top_logprobs": 20}  # fmt: skip
    asked = urllib.request.Request(
        f"{proxy.url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=600) as reply:
        said = json.loads(reply.read())
    told = said["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    tops = [(top["token"].strip().lower(), top["logprob"]) for top in told]
    least = min(value for _, value in tops)
    odds = []
    for option in ("yes", "no"):
        own = [math.exp(value) for token, value in tops if token and option.startswith(token)]
        odds.append(max(math.log(sum(own)) if own else -math.inf, least))
    return odds[0] - odds[1], said["usage"]["total_tokens"]


def auc(scored: list[tuple[float, bool]]) -> float:
    """The share of pairs of a yes and a no in which the yes has more; ties count half."""
    pairs = [(yes - no) for yes, is_yes in scored if is_yes for no, is_no in scored if not is_no]
    return sum(1.0 if each > 0 else 0.5 if each == 0 else 0.0 for each in pairs) / len(pairs)


def f1(scored: list[tuple[float, bool]], least: float) -> float:
    said = [(score > least, truth) for score, truth in scored]
    right = sum(yes and truth for yes, truth in said)
    return 2 * right / max(1, sum(yes for yes, _ in said) + sum(truth for _, truth in said))


def main() -> None:
    """Print the table: a line a form and set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reviews", type=Path)
    parser.add_argument("bbh", type=Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--each", type=int, default=80)
    given = parser.parse_args()
    print("| form | set | tokens | prior | AUC choose, test | F1 raw | F1 calibrated | accuracy raw | calibrated |")
    print("|---|---|---|---|---|---|---|---|---|")
    with served(given.model) as proxy, ThreadPoolExecutor(4) as pool:
        for name, (question, texts) in sets(given.reviews, given.bbh, given.each).items():
            for form, template in FORMS.items():
                prompts = [template.format(q=question, t=text) for text in (*EMPTY, *(text for text, _ in texts))]
                found = list(pool.map(lambda prompt: ask(proxy, prompt), prompts))
                prior = sum(odds for odds, _ in found[: len(EMPTY)]) / len(EMPTY)
                tokens = sum(each for _, each in found[len(EMPTY) :]) / len(texts)
                scored = [(odds, truth) for (odds, _), (_, truth) in zip(found[len(EMPTY) :], texts, strict=True)]
                halves = [[one for at, one in enumerate(scored) if at // 2 % 2 == half] for half in (0, 1)]
                told = [f"{auc(halves[0]):.2f}, {auc(halves[1]):.2f}"]
                told += [", ".join(f"{f1(half, least):.2f}" for half in halves) for least in (0.0, prior)]
                told += [", ".join(f"{sum((odds > least) == truth for odds, truth in half) / len(half):.2f}"
                                   for half in halves) for least in (0.0, prior)]  # fmt: skip
                print(f"| {form} | {name} | {tokens:.0f} | {prior:+.2f} | {' | '.join(told)} |", flush=True)
                print(form, name, file=sys.stderr)


if __name__ == "__main__":
    main()
