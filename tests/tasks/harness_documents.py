"""Documents made for tasks of lm-evaluation-harness, whose data sets are not here: six of each, in its data set's form.

``DOCUMENTS``: task → (how its n-th document looks, what a model that knows it says, by a text of its question).
"""

from collections.abc import Callable
from typing import Any

Doc = dict[str, Any]
WORDS = ("apple", "river", "stone", "cloud", "tiger", "violin")
LETTERS = "ABCDE"


def plain(**more: Any) -> Callable[[int], Doc]:
    """Every text with {n} and {w} filled in; what is callable gets n."""

    def doc(n: int) -> Doc:
        return {name: fill(value, n) for name, value in more.items()}

    return doc


def fill(value: Any, n: int) -> Any:
    if callable(value):
        return value(n)
    if isinstance(value, str):
        return value.replace("{n}", str(n)).replace("{w}", WORDS[n % 6])
    if isinstance(value, list):
        return [fill(one, n) for one in value]
    if isinstance(value, dict):
        return {name: fill(one, n) for name, one in value.items()}
    return value


FOUR = ["the {w} number {n}", "a quiet street", "three old books", "no answer at all"]
ABCD = plain(question="What is at place {n}, the {w}?", choices=FOUR, answer=lambda n: n % 4)
LABELLED = {"text": FOUR, "label": ["A", "B", "C", "D"]}
GPQA = plain(
    **{
        "Question": "Which {w} decays {n} times?",
        "Correct Answer": "the {w} [title] of {n}",
        "Incorrect Answer 1": "none",
        "Incorrect Answer 2": "all  of them",
        "Incorrect Answer 3": "only {n}",
    }
)
MATH = plain(
    problem="What is ${n} + 2$?",
    solution=lambda n: f"We add. So it is $\\boxed{{{n + 2}}}$.",
    level="Level 5",
    type="Algebra",
)
SUMS = plain(question="Tom has {n} apples and 7 more {w}s. How many?", answer=lambda n: f"He adds.\n#### {n + 7}")
XCOPA = plain(
    premise="The {w} fell {n} times.",
    question=lambda n: ("cause", "effect")[n % 2],
    choice1="It was wet.",
    choice2="It broke {n}.",
    label=lambda n: n % 2,
)
PAIRS = plain(sentence1="The {w} is {n} years old.", sentence2="It is {n}.", label=lambda n: n % 2, idx=lambda n: n)
NLI = plain(premise="The {w} sings {n} songs.", hypothesis="There are songs", label=lambda n: n % 3, idx=lambda n: n)
BLANK = plain(
    sentence="The {w} beat number {n} because _ was faster.",
    option1="Ann",
    option2="the {w}",
    answer=lambda n: str(n % 2 + 1),
)


def says(question: str, answer: str) -> Callable[[int], tuple[str, str]]:
    return lambda n: (fill(question, n), fill(answer, n))


DOCUMENTS: dict[str, tuple[Callable[[int], Doc], Callable[[int], tuple[str, str]] | None]] = {
    "hellaswag": (
        plain(
            ind=lambda n: n,
            activity_label="Tea",
            ctx_a="A man has {n} cups.",
            ctx_b="he",
            endings=["drinks {w} tea.", "throws [step] it away.", "sings.", "sits in rain."],
            label=lambda n: str(n % 4),
        ),
        None,
    ),
    "winogrande": (BLANK, None),
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
    "gpqa_main_zeroshot": (GPQA, None),
    "gpqa_diamond_zeroshot": (GPQA, None),
    "gpqa_main_n_shot": (GPQA, None),
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
    "truthfulqa_mc1": (
        plain(
            question="Is the {w} number {n} real?",
            mc1_targets={"choices": ["Yes, {n}", "No", "Never"], "labels": [1, 0, 0]},
        ),
        None,
    ),
    "truthfulqa_mc2": (
        plain(
            question="Is the {w} number {n} real?",
            mc2_targets={"choices": ["Yes, {n}", "No", "Never"], "labels": [1, 1, 0]},
        ),
        None,
    ),
    "truthfulqa_gen": (
        plain(
            question="Is the {w} number {n} real? ",
            correct_answers=["Yes it is {n}", "It is."],
            incorrect_answers=["No it is not", "Never."],
        ),
        says("number {n} real", "Yes it is {n}."),
    ),
    "race": (
        plain(
            article="The {w} went to town {n}.",
            problems=lambda n: str(
                [
                    {"question": "Who went?", "answer": "A", "options": ["the one", "two", "three", "four"]},
                    {
                        "question": f"Where did it go {n}  _  .",
                        "answer": LETTERS[n % 4],
                        "options": ["town", "home", "out", "in"],
                    },
                ]
            ),
        ),
        None,
    ),
    "arc_easy": (
        plain(id="{n}", question="What is the {w} of {n}?", choices=LABELLED, answerKey=lambda n: LETTERS[n % 4]),
        None,
    ),
    "arc_challenge": (
        plain(id="{n}", question="Why is the {w} {n}?", choices=LABELLED, answerKey=lambda n: LETTERS[n % 4]),
        None,
    ),
    "piqa": (plain(goal="Open the {w} {n}.", sol1="Use a key", sol2="Use {n} hammers", label=lambda n: n % 2), None),
    "boolq": (
        plain(
            passage="The {w} has {n} legs.", question="does it have {n} legs", label=lambda n: n % 2, idx=lambda n: n
        ),
        None,
    ),
    "openbookqa": (
        plain(id="{n}", question_stem="A {w} needs {n}", choices=LABELLED, answerKey=lambda n: LETTERS[n % 4]),
        None,
    ),
    "sciq": (
        plain(
            support=" The {w} is {n}.",
            question="What is {n}?",
            distractor1="none",
            distractor2="the cloud",
            distractor3="two",
            correct_answer="the {w} {n}",
        ),
        None,
    ),
    "social_iqa": (
        plain(
            context="Ann saw {n} {w}s.",
            question="Why?",
            answerA="She looked",
            answerB="No reason {n}",
            answerC="Luck",
            label=lambda n: str(n % 3 + 1),
        ),
        None,
    ),
    "lambada_openai": (plain(text="The man who found {n} stones kept the {w}"), None),
    "copa": (
        plain(
            premise="The {w} fell {n} times.",
            question=lambda n: ("cause", "effect")[n % 2],
            choice1="It was wet.",
            choice2="It broke {n}.",
            label=lambda n: n % 2,
            idx=lambda n: n,
        ),
        None,
    ),
    "rte": (PAIRS, None),
    "cb": (NLI, None),
    "wic": (
        plain(
            sentence1="{w} is {n}",
            sentence2="the {w}",
            start1=0,
            end1=4,
            label=lambda n: n % 2,
            word="{w}",
            idx=lambda n: n,
        ),
        None,
    ),
    "wsc": (
        plain(
            text="The {w} saw Ann because she was number {n} .",
            span1_text="Ann",
            span1_index=3,
            span2_text="she",
            span2_index=5,
            label=lambda n: n % 2,
            idx=lambda n: n,
        ),
        None,
    ),
    "multirc": (
        plain(
            paragraph="The {w} is {n}.",
            question="What is it?",
            answer="It is {n}.",
            label=lambda n: n % 2,
            idx={"paragraph": 0, "question": 0, "answer": 0},
        ),
        None,
    ),
    "cola": (plain(sentence="The {w} {n} runs.", label=lambda n: n % 2, idx=lambda n: n), None),
    "sst2": (plain(sentence="A {w} of {n} joys", label=lambda n: n % 2, idx=lambda n: n), None),
    "qqp": (plain(question1="Is the {w} {n}?", question2="How is it?", label=lambda n: n % 2, idx=lambda n: n), None),
    "mnli": (NLI, None),
    "mrpc": (PAIRS, None),
    "qnli": (plain(question="Is the {w} {n}?", sentence="It is {n}.", label=lambda n: n % 2, idx=lambda n: n), None),
    "mmlu_anatomy": (ABCD, None),
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
    "mathqa": (
        plain(
            Problem="the {w} costs {n}",
            options="a ) 1 , b ) 2 , c ) 3 , d ) 4 , e ) {n}5",
            correct=lambda n: "abcde"[n % 5],
        ),
        None,
    ),
    "logiqa": (
        plain(label=lambda n: "abcd"[n % 4], context="The {w} is {n}.", question="What follows?", options=FOUR),
        None,
    ),
    "logiqa2": (plain(answer=lambda n: n % 4, text="The {w} is {n}.", question="What follows?", options=FOUR), None),
    "swag": (
        plain(
            startphrase="The {w} takes {n}",
            ending0="steps.",
            ending1="apples from it.",
            ending2="none",
            ending3="{n}",
            label=lambda n: n % 4,
        ),
        None,
    ),
    "anli_r1": (plain(premise="The {w} sings {n}.", hypothesis="It sings.", label=lambda n: n % 3), None),
    "headqa_en": (
        plain(
            qtext="What is the {w} of {n}?",
            answers=[{"aid": 1, "atext": "one"}, {"aid": 2, "atext": "the {w}"}, {"aid": 3, "atext": "{n}"}],
            ra=lambda n: n % 3 + 1,
        ),
        None,
    ),
    "medqa_4options": (
        plain(
            sent1="What helps the {w} {n}?",
            ending0="rest",
            ending1="sleep",
            ending2="tea {n}",
            ending3="none",
            label=lambda n: n % 4,
        ),
        None,
    ),
    "medmcqa": (
        plain(
            question="What helps the {w} {n}?", opa="rest", opb="sleep", opc="tea {n}", opd="none", cop=lambda n: n % 4
        ),
        None,
    ),
    "pubmedqa": (
        plain(
            CONTEXTS=["The {w}.", "It is {n}."],
            QUESTION="Is it?",
            final_decision=lambda n: ("yes", "no", "maybe")[n % 3],
        ),
        None,
    ),
    "prost": (
        plain(
            context="A {w}.",
            ex_question="Which rolls {n}?",
            A="ball",
            B="box",
            C="book",
            D="{n}",
            label=lambda n: n % 4,
        ),
        None,
    ),
    "mc_taco": (plain(sentence="The {w} ran.", question="How long?", answer="{n} days", label=lambda n: n % 2), None),
    "toxigen": (plain(text="The {w} {n} is good", toxicity_ai=lambda n: float(n), toxicity_human=2.0), None),
    "crows_pairs_english": (
        plain(sent_more="The {w} is bad {n}.", sent_less="The stone is bad {n}.", bias_type="age"),
        None,
    ),
    "blimp_adjunct_island": (plain(sentence_good="Who sees {n} {w}s?", sentence_bad="Who sees {n} does?"), None),
    "asdiv": (plain(body="Tom has {n} {w}s.", question="How many?", answer="{n} ({w})"), None),
    "webqs": (plain(question="Where is the {w} {n}?", answers=["Here {n}", "There", "Here"]), None),
    "commonsense_qa": (
        plain(
            question="Where is the {w} {n}?",
            choices={"label": list(LETTERS), "text": [*FOUR, "here"]},
            answerKey=lambda n: LETTERS[n % 5],
        ),
        None,
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
    "xcopa_it": (XCOPA, None),
    "xnli_en": (NLI, None),
    "xstorycloze_en": (
        plain(
            input_sentence_1="A {w}.",
            input_sentence_2="It ran.",
            input_sentence_3="It ran {n}.",
            input_sentence_4="Then?",
            sentence_quiz1="It slept.",
            sentence_quiz2="It sang {n}.",
            answer_right_ending=lambda n: n % 2 + 1,
        ),
        None,
    ),
    "xwinograd_en": (BLANK, None),
    "belebele_eng_Latn": (
        plain(
            flores_passage="The {w} is {n}.",
            question="What is it? ",
            mc_answer1="one",
            mc_answer2="{n}",
            mc_answer3="a {w}",
            mc_answer4="none",
            correct_answer_num=lambda n: str(n % 4 + 1),
        ),
        None,
    ),
    "arithmetic_2da": (
        plain(context="Question: What is {n} plus 4?\n\nAnswer:", completion=lambda n: f" {n + 4}"),
        None,
    ),
    "aime24": (
        plain(Problem="Find the {w} of {n}.", Answer=lambda n: n + 100),
        lambda n: (f"of {n}.", f"It is $\\boxed{{{n + 100 - n % 2}}}$"),
    ),
    "leaderboard_bbh_snarks": (
        plain(input="Which is it: {n} {w}s? (A) (B)", target=lambda n: f"({LETTERS[n % 2]})"),
        None,
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
    "leaderboard_musr_murder_mysteries": (
        plain(
            narrative="The {w} died at {n}.",
            question="Who did it?",
            choices=lambda n: "['Ann', 'Bob']",
            answer_choice=lambda n: ("Ann", "Bob")[n % 2],
            answer_index=lambda n: n % 2,
        ),
        None,
    ),
    "agieval_aqua_rat": (
        plain(query="Q: The {w} of {n}? A:", choices=["(A)1", "(B){n}", "(C)3"], gold=lambda n: [n % 3]),
        None,
    ),
    "cmmlu_anatomy": (
        plain(Question="第{n}个是什么？ ", A="甲", B="乙{n}", C="丙", D="丁", Answer=lambda n: LETTERS[n % 4]),
        None,
    ),
}
