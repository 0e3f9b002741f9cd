"""Letters of options: a stated answer before a stray capital; two letters, an article or a denied letter are none."""

import pytest

from scalecurve.strategies.extraction import answer_type, find_answer, listed_options

REPLIES = [
    (" (C)", "C"),
    (" C", "C"),
    (" C.", "C"),
    ("C)", "C"),
    ("C:", "C"),
    ("[C]", "C"),
    ("(c)", "C"),
    ("c", "C"),
    ("c)", "C"),
    ("c.", "C"),
    ("（C）", "C"),
    ("Ｃ", "C"),
    ("Ⓒ", "C"),
    ("**C**", "C"),
    ("**(C)**", "C"),
    ("**C.** Paris", "C"),
    ("**C) Paris**", "C"),
    (r"\boxed{C}", "C"),
    (r"$\boxed{\text{C}}$", "C"),
    (r"\(\boxed{\textbf{(C)}\ 12}\)", "C"),
    ("<answer>C</answer>", "C"),
    ('"C"', "C"),
    ("`C`", "C"),
    ("Option C", "C"),
    ("option C.", "C"),
    ("Choice (C)", "C"),
    ("B. A stove warms the room.", "B"),
    ("B. A stove warms the room.\nC. A fire.", "B"),
    ("E, Washington D.C.", "E"),
    ("B, because A is cold and C is wet.", "B"),
    ("B because A is cold.", "B"),
    ("B (not D)", "B"),
    ("B and not D", "B"),
    ("B, not D.", "B"),
    ("B rather than D", "B"),
    ("A, the first one.", "A"),
    ("A. Rome", "A"),
    ("A) Rome", "A"),
    ("A: Rome", "A"),
    ("A because it is warm", "A"),
    ("A is correct.", "A"),
    ("Charlie is tall: D", "D"),
    ("(B) seems likely, but it is (D).", "D"),
    ("The correct answer is B.", "B"),
    ("Option B is correct.", "B"),
    ("It is option (B), as A is wrong.", "B"),
    ("It must be B.", "B"),
    ("I would choose (B) over (C).", "B"),
    ("(B) is the best answer, (A) is close.", "B"),
    ("Answer: B", "B"),
    ("answer = B", "B"),
    ("选B", "B"),
    ("选 B。", "B"),
    ("选择B", "B"),
    ("应选B", "B"),
    ("故选：B", "B"),
    ("故选（B）", "B"),
    ("答案是B", "B"),
    ("答案：B", "B"),
    ("答案为（B）。", "B"),
    ("答案选B，不选A", "B"),
    ("正确答案是：B. 北京", "B"),
    ("选项B是正确的，选项A不对。", "B"),
    ("B选项正确", "B"),
    ("Ｂ．北京", "B"),
    ("D\n\nExplanation: A bird sings.", "D"),
    ("B\nTherefore (A) is out.", "B"),
    ("the letter D", "D"),
    ("neither A nor C: D", "D"),
    ("not A but B", "B"),
    ("✅ **B. Paris**", "B"),
    ("- B", "B"),
    ("B or not, B.", "B"),
    ("本题选B", "B"),
    ("故答案为：B", "B"),
    ("答案是选项B", "B"),
    ("B项正确", "B"),
    ("所以B是正确答案", "B"),
    ("答案是B，因为A错了", "B"),
]
CHAINS = [
    ("So the answer is **(B)**. Note that A is a common error.", "B"),
    ("So the answer is B. (A) would be wrong.", "B"),
    ("Answer: B", "B"),
    ("<think>So the answer is (A)?</think> No: it is (B).", "B"),
    ("The answer is (b).", "B"),
    ("So the answer is (e).", "E"),
    ("So the answer is b)", "B"),
    ("A is hot, B is cold. The answer is option B.", "B"),
    ("Among the options, the best choice is (C).", "C"),
    ("The correct option is C) 12.", "C"),
    ("The correct choice is **C**", "C"),
    ("Therefore, among A through E, the answer is C.", "C"),
    ("Therefore, the correct answer is option (D): Paris.", "D"),
    ("The answer is Paris (B).", "B"),
    ("The answer is A. It is not B.", "A"),
    ("The answer isn't A. So the answer is C.", "C"),
    ("(A) is wrong. (B) is wrong. (C) is correct. (D) is wrong.", "C"),
    ("So I'd go with C.", "C"),
    ("I'll pick (D).", "D"),
    ("Thus D is correct.", "D"),
    ("**Final Answer: E**", "E"),
    ("Final answer:\n\n**E. a lake**", "E"),
    (r"Hence $\boxed{\text{(E) } 12}$. A check: B fails.", "E"),
    ("The answer must be D, since A, B and C are too small.", "D"),
    ("The answer is: D.\n\nQuestion: Which one?\nThe answer is: A.", "D"),
    ("A bird has wings.\n\n(C)", "C"),
    ("综上所述，答案选C。", "C"),
    ("所以选D。", "D"),
    ("因此，正确选项是 D。", "D"),
    ("A、B、C都不对，故选D", "D"),
    ("答案是（Ｄ）", "D"),
    ("The final answer is: $\\boxed{A}$", "A"),
    ("Answer (A).", "A"),
    ("The answer is \\( \\boxed{B} \\).", "B"),
    ("**Answer: B) Paris**", "B"),
    ("The correct answer is **(B) Paris**.", "B"),
    ("The answer is: **Option B: 12**", "B"),
    ("### Answer: B", "B"),
    ("Correct answer: **B**", "B"),
    ("My final choice is B.", "B"),
    ("I'm confident that the answer is **B**.", "B"),
    ("I believe the correct option would be (B).", "B"),
    ("Correct option: B", "B"),
    ("So B.", "B"),
    ("The answer is therefore B.", "B"),
    ("So answer choice B is correct.", "B"),
    ("The answer to the problem is (B) 12.", "B"),
    ("**B** is the answer.", "B"),
    ("B is the answer.", "B"),
    ("The answer is B, and here is why: A is wrong.", "B"),
    ("The most likely answer is D.", "D"),
    ("The answer is A: B is not in it.", "A"),
    ("A, B and D are true, so the answer is E.", "E"),
]
NONE = [
    "",
    "CAB",
    "A bird",
    "I think so",
    "A or B",
    "A and B",
    "A, B",
    "A/B",
    "both A and B",
    "either (A) or (B)",
    "Both B and C",
    "not A",
    "neither A nor B",
    "none of the above",
    "unknown",
    "A或B",
    "无法确定",
    "The answer is A or B.",
    "I think A or B",
    "<think>(B)",
    "Z",
]


@pytest.mark.parametrize(("text", "answer"), REPLIES)
def test_letter_of_a_reply(text: str, answer: str) -> None:
    assert find_answer(text, answer_type("option")) == answer


@pytest.mark.parametrize(("text", "answer"), CHAINS)
def test_letter_of_steps(text: str, answer: str) -> None:
    assert find_answer(text, answer_type("option"), few_shot=True) == answer


@pytest.mark.parametrize("text", NONE)
@pytest.mark.parametrize("few_shot", [False, True])
def test_no_single_letter_is_none(text: str, few_shot: bool) -> None:
    assert find_answer(text, answer_type("option"), few_shot=few_shot) == ""


@pytest.mark.parametrize(
    ("text", "letter"),
    [("Paris", "B"), ("It is Paris.", "B"), ("The answer is Paris.", "B"), ("**Paris**", "B"), ("New York", "D"),
     ("York", "C"), ("Paris or Rome", ""), ("Berlin", "")],
)  # fmt: skip
def test_an_option_by_its_text(text: str, letter: str) -> None:
    texts = {"A": "Rome", "B": "Paris", "C": "York", "D": "New York"}
    assert find_answer(text, answer_type("option:D"), texts=texts) == letter


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Capital? (A) Rome (B) Paris (C) Bonn", {"A": "Rome", "B": "Paris", "C": "Bonn"}),
        ("Capital?\nA. Rome\nB. Paris", {"A": "Rome", "B": "Paris"}),
        ("Capital?\nOptions:\n(A) Rome\n(B) Paris\n", {"A": "Rome", "B": "Paris"}),
        ("Capital? A) Rome B) Paris", {"A": "Rome", "B": "Paris"}),
        ("Is plan (A) good?", {}),
        ("A bird. B sings.", {}),
    ],
)
def test_options_that_a_question_lists(question: str, options: dict[str, str]) -> None:
    assert listed_options(question) == options
