"""Tasks of lm-evaluation-harness whose answers are written, each with what a model that knows some of them says."""

from harness_forms import ABCD, FOUR, GPQA, LETTERS, WORDS, Table, plain, says

MATH = plain(
    problem="What is ${n} + 2$?",
    solution=lambda n: f"We add. So it is $\\boxed{{{n + 2}}}$.",
    level="Level 5",
    type="Algebra",
)
SUMS = plain(question="Tom has {n} apples and 7 more {w}s. How many?", answer=lambda n: f"He adds.\n#### {n + 7}")

WRITTEN: Table = {
    "mmlu_pro_biology": (
        plain(
            question="Which {w} grows in {n} days?",
            options=FOUR,
            answer=lambda n: LETTERS[n % 4],
            answer_index=lambda n: n % 4,
            cot_content="A: Let's think step by step. It grows. The answer is (B).",
            category="biology",
        ),
        lambda n: (f"grows in {n} days", f"It does. The answer is ({LETTERS[n % 3]})."),
    ),
    "mmlu_pro_math": (
        plain(
            question="What is {n} plus the {w}?",
            options=FOUR,
            answer=lambda n: LETTERS[n % 4],
            answer_index=lambda n: n % 4,
            cot_content="A: Let's think step by step. We add. The answer is (A).",
            category="math",
        ),
        lambda n: (f"What is {n} plus", f"The answer is ({LETTERS[n % 4]})."),
    ),
    "gpqa_main_cot_zeroshot": (GPQA, says("decays {n} times", "It decays. The answer is (B).")),
    "ifeval": (
        plain(
            key=lambda n: n,
            prompt="Write about the {w}, number {n}, without commas.",
            instruction_id_list=["punctuation:no_comma", "length_constraints:number_words"],
            kwargs=[{"num_words": None, "relation": None}, {"num_words": 3, "relation": "at least"}],
        ),
        lambda n: (f"number {n}, without", "one two three four" if n % 2 else "one, two"),
    ),
    "minerva_math_algebra": (
        MATH,
        lambda n: (f"${n} + 2$", f"Final Answer: The final answer is ${n + 2 - n % 2}$. I hope it is correct."),
    ),
    "hendrycks_math_algebra": (MATH, lambda n: (f"${n} + 2$", f"It is ${n + 2}$")),
    "leaderboard_math_algebra_hard": (
        MATH,
        lambda n: (f"${n} + 2$", f"Final Answer: The final answer is ${n + 2}$. I hope it is correct."),
    ),
    "drop": (
        plain(
            section_id="s",
            query_id="q{n}",
            passage="The {w} scored {n} goals.",
            question="How many goals in game {n}?",
            answer={"number": "{n}", "date": {"day": "", "month": "", "year": ""}, "spans": []},
            validated_answers={
                "number": ["", "{n}"],
                "date": [{"day": "", "month": "", "year": ""}] * 2,
                "spans": [["{n} goals"], []],
            },
        ),
        lambda n: (f"in game {n}?", str(n) if n % 2 else f"{n} goals or so"),
    ),
    "humaneval": (
        plain(
            task_id="t/{n}",
            prompt="def add_{n}(a):\n",
            entry_point="add_{n}",
            canonical_solution="    return a + {n}\n",
            test="def check(f):\n    assert f(1) == {n} + 1\n",
        ),
        lambda n: (f"add_{n}(", f"    return a + {n}\n" if n % 2 else "    return a\n"),
    ),
    "mbpp": (
        plain(
            task_id=lambda n: n,
            text="Write a function f{n} that adds {n}.",
            code="def f(a): return a",
            test_list=["assert f{n}(1) == {n} + 1", "assert f{n}(0) == {n}", "assert True"],
        ),
        lambda n: (f"function f{n} ", f"def f{n}(a):\n    return a + {n}\n[DONE]"),
    ),
    "truthfulqa_gen": (
        plain(
            question="Is the {w} number {n} real? ",
            correct_answers=["Yes it is {n}", "It is."],
            incorrect_answers=["No it is not", "Never."],
        ),
        says("number {n} real", "Yes it is {n}."),
    ),
    "mmlu_flan_cot_zeroshot_anatomy": (ABCD, says("at place {n},", "So the answer is (B).")),
    "gsm8k": (SUMS, lambda n: (f"has {n} apples", f" He adds.\n#### {n + 7}" if n % 2 else f" It is {n + 7}")),
    "gsm8k_cot": (SUMS, lambda n: (f"has {n} apples", f"He adds. The answer is {n + 7 - n % 2}.")),
    "bbh_cot_fewshot_boolean_expressions": (
        plain(input="not ( {n} is {w} ) is", target=lambda n: str(n % 2 == 0)),
        says("not ( {n} is", "So the answer is True."),
    ),
    "bbh_zeroshot_snarks": (
        plain(input="Which is it: {n} {w}s? (A) (B)", target=lambda n: f"({LETTERS[n % 2]})"),
        says("is it: {n} ", "the answer is (A)."),
    ),
    "triviaqa": (
        plain(
            question="Who found the {w} {n}", question_id="{n}", answer={"aliases": ["Ann {n}", "Ann"], "value": "Ann"}
        ),
        lambda n: (f"the {WORDS[n % 6]} {n}", ("Ann", "Bob", f"ann {n}")[n % 3]),
    ),
    "nq_open": (
        plain(question="who found the {w} {n}", answer=["Ann {n}", "Ann"]),
        lambda n: (f"the {WORDS[n % 6]} {n}", ("Ann", "Bob")[n % 2]),
    ),
    "mgsm_direct_en": (
        plain(
            question="Tom has {n} apples and 7. How many?",
            answer=lambda n: None if n < 5 else "Step-by-Step Answer: 12",
            answer_number=lambda n: n + 7,
            equation_solution=None,
        ),
        lambda n: (f"has {n} apples", f" {n + 7}"),
    ),
    "aime24": (
        plain(Problem="Find the {w} of {n}.", Answer=lambda n: n + 100),
        lambda n: (f"of {n}.", f"It is $\\boxed{{{n + 100 - n % 2}}}$"),
    ),
    "leaderboard_ifeval": (
        plain(
            key=lambda n: n,
            prompt="Write on the {w}, number {n}, in capitals.",
            instruction_id_list=["change_case:english_capital"],
            kwargs=[{"num_words": None}],
        ),
        lambda n: (f"number {n}, in", "ALL IS WELL HERE" if n % 2 else "all is well"),
    ),
}
