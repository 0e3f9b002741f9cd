"""Tasks of lm-evaluation-harness whose answers are chosen by their log-probabilities."""

from harness_forms import ABCD, FOUR, GPQA, LETTERS, Table, plain

LABELLED = {"text": FOUR, "label": ["A", "B", "C", "D"]}
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

CHOSEN: Table = {
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
    "gpqa_main_zeroshot": (GPQA, None),
    "gpqa_diamond_zeroshot": (GPQA, None),
    "gpqa_main_n_shot": (GPQA, None),
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
    "leaderboard_bbh_snarks": (
        plain(input="Which is it: {n} {w}s? (A) (B)", target=lambda n: f"({LETTERS[n % 2]})"),
        None,
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
