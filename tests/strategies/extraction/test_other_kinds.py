"""Yes and no, dates, lists, letters and texts; and thinking text, which is never read for an answer."""

import pytest

from scalecurve.strategies.extraction import answer_type, find_answer, spelled_as
from scalecurve.util.thinking import split_thinking

YES_NO = [
    ("Yes", "yes"),
    ("yes.", "yes"),
    ("(Yes)", "yes"),
    ("yes;", "yes"),
    ("**Yes**", "yes"),
    (r"\boxed{\text{No}}", "no"),
    ("No, the coin is tails.", "no"),
    ("No.", "no"),
    ('"No"', "no"),
    ("The answer is no.", "no"),
    ("Yes or No? Yes", "yes"),
    ("The coin is up, so yes.", "yes"),
    ("There is no coin here, so the answer is yes.", "yes"),
    ("The answer is **No**, there is no doubt.", "no"),
    ("Therefore, the answer (Yes or No) is no", "no"),
    ("<think>yes</think>no", "no"),
    ("Final Answer: YES", "yes"),
    ("是", "yes"),
    ("是的。", "yes"),
    ("不是", "no"),
    ("否", "no"),
    ("答案是：否", "no"),
    ("对", "yes"),
    ("不对。", "no"),
    ("Nope", ""),
    ("Yesterday", ""),
    ("maybe", ""),
    ("There is no information about it", ""),
    ("", ""),
    ("无法判断", ""),
]
DATES = [
    ("05/01/2021", "05/01/2021"),
    ("5/1/2021", "05/01/2021"),
    ("2021-05-01", "05/01/2021"),
    ("The answer is 05/01/2021.", "05/01/2021"),
    ("It was 04/30/2021, so the answer is **May 1, 2021**.", "05/01/2021"),
    ("1 May 2021", "05/01/2021"),
    ("1st of May, 2021", "05/01/2021"),
    ("Sept. 3rd 2021", "09/03/2021"),
    ("2021年5月1日", "05/01/2021"),
    ("答案是２０２１年５月１日", "05/01/2021"),
    ("31/12/2020", "12/31/2020"),
    ("13/13/2020", ""),
    ("02/30/2020", ""),
    ("tomorrow", ""),
    ("", ""),
]
LISTS = [
    ("a, b, c", "a, b, c"),
    ("a, b, and c.", "a, b, c"),
    ("a and b", "a, b"),
    ("[a, b, c]", "a, b, c"),
    ('["a", "b"]', "a, b"),
    ("The answer is: a, b", "a, b"),
    ("1. a\n2. b", "a, b"),
    ("- a\n- b\n", "a, b"),
    ("红、黄和蓝", "红, 黄, 蓝"),
    ("", ""),
]
LETTERS = [
    (' "n d".', "nd"),
    ("nd", "nd"),
    ("n-d", "nd"),
    ("n d k a", "ndka"),
    ('The letters are n and d, so the answer is "nd".', "nd"),
    ("The answer is **nd**", "nd"),
    ("“nd”", "nd"),
    ("", ""),
]
TEXTS = [
    ('\n "Ann Lee".\nQ: next', "Ann Lee"),
    ("Paris.", "Paris"),
    ("**Paris**", "Paris"),
    ("The answer is Paris.", "Paris"),
    ("The answer is **Paris**. It lies on the Seine.", "Paris"),
    ("The answer is Paris. It lies on the Seine.", "Paris"),
    ("So the answer is Washington D.C.", "Washington D.C"),
    ("So the answer is St. Louis.", "St. Louis"),
    ("Answer:\nParis", "Paris"),
    ("**Answer:** Paris", "Paris"),
    ("<answer>Paris</answer>", "Paris"),
    (r"\boxed{\text{Paris}}", "Paris"),
    ("答案是：巴黎。", "巴黎"),
    ("<think>Rome</think>\nParis", "Paris"),
    ("<think>Rome", ""),
    ("> > )", "> > )"),
    ("So the answer is ] ) }.", "] ) }"),
    ("", ""),
]


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        (kind, *case)
        for kind, cases in (
            ("yes_no", YES_NO), ("date", DATES), ("list", LISTS), ("letters", LETTERS), ("text", TEXTS),
        )
        for case in cases
    ],
)  # fmt: skip
def test_answer_of_a_reply(kind: str, text: str, answer: str) -> None:
    assert find_answer(text, answer_type(kind)) == answer


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("yes_no", "It is cold. There is no snow. So the answer is yes.", "yes"),
        ("yes_no", "Is it cold? Yes. Is it wet? So the answer is no.", "no"),
        ("yes_no", "It cannot be both.", ""),
        ("text", "Rome is old. Paris is large.", ""),
        ("text", "Rome is old. So the answer is Paris", "Paris"),
        ("text", "Rome is old.\n\n**Paris**", "Paris"),
        ("list", "Red comes first. The answer is red, blue.", "red, blue"),
        ("date", "Today is 04/30/2021. Tomorrow is 05/01/2021.", "05/01/2021"),
        ("letters", 'The last letter of "Ann" is "n". So the answer is nd.', "nd"),
    ],
)
def test_answer_of_steps(kind: str, text: str, answer: str) -> None:
    assert find_answer(text, answer_type(kind), few_shot=True) == answer


def test_equal_dates_and_lists_take_the_target_s_spelling() -> None:
    assert spelled_as("05/01/2021", answer_type("date"), ("2021-05-01",)) == "2021-05-01"
    assert spelled_as("a, b", answer_type("list"), ("[A, B]",)) == "[A, B]"
    assert spelled_as("b, a", answer_type("list"), ("[a, b]",)) == "b, a"


@pytest.mark.parametrize(
    ("text", "thinking", "answer", "closed"),
    [
        ("7", "", "7", True),
        ("<think>a</think>7", "a", "7", True),
        ("a</think>\n\n7", "a", "7", True),
        ("<think>a", "a", "", False),
        ("<think>a</think>b<think>c</think>7", "a\nc", "b7", True),
        ("<thinking>a</thinking>7", "a", "7", True),
        ("<THINK>a</THINK>7", "a", "7", True),
        ("[THINK]a[/THINK]7", "a", "7", True),
        ("◁think▷a◁/think▷7", "a", "7", True),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>7", "a", "7", True),
        ("a < b and b > c", "", "a < b and b > c", True),
    ],
)
def test_thinking_is_kept_apart(text: str, thinking: str, answer: str, closed: bool) -> None:
    found = split_thinking(text)
    assert (found.thinking, found.answer, found.closed) == (thinking, answer, closed)
