"""Prompt files: they read back as written, ask what they say, and their errors name the field."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalecurve.errors import UserError
from scalecurve.strategies import FewShotExample, Prompt, Question, Shot, ask_as
from scalecurve.strategies.prompt import lettered, parse_prompt
from scalecurve.tasks.postprocess import DEFAULT_REGEX
from scalecurve.types import Answer, Example, Output, Postprocess, Rendering, Request, Task

CHOICE = Example("c", "which?", ("beta",), ("beta", "alpha"), (1.0, 0.0))
COUNT = Example("n", "how many?", ("five", "5"))


def ask(prompt: Prompt, example: Example, wants: str, *stages: Sequence[Output]) -> tuple[list[Request], Answer]:
    task = Task("t", (example,), ("m",), "m", postprocess=Postprocess(DEFAULT_REGEX))
    shot = Shot(Example("d", "drawn?", ("yes",), ("yes", "no"), (1.0, 0.0)), "yes")
    asking = ask_as(prompt, Question(task, FewShotExample(example, (shot,)), frozenset({wants})))
    asked = [*next(asking)]
    for stage in stages:
        try:
            asked += asking.send(tuple(stage))
        except StopIteration as stop:
            return asked, stop.value
    raise AssertionError("asks once more")


def scored(*values: float) -> Output:
    return Output(logprobs=values, token_counts=(1,) * len(values), greedy=(False,) * len(values))


def text(said: str) -> Output:
    return Output(texts=(said,), text_logprobs=((-0.5,),))


def test_letters_are_scored_and_given_back_as_the_options_they_stand_for() -> None:
    prompt = Prompt(
        options="lettered", template={"input_prefix": "Question: ", "output_prefix": "\nAnswer: "}, shots=()
    )
    asked, answer = ask(prompt, CHOICE, "options", [scored(-1.0, -2.0)])
    order = lettered(CHOICE)
    assert asked[0].prompt == f"Question: {order.input}\nAnswer: "
    assert sorted(asked[0].options) == ["A", "B"]
    shown = dict(line.split(". ") for line in asked[0].prompt.split("\n")[1:3])
    assert tuple(shown[letter] for letter in asked[0].options) == CHOICE.options
    assert (answer.options, answer.option_logprobs) == (CHOICE.options, (-1.0, -2.0))


def test_a_letter_that_is_written_becomes_its_option() -> None:
    letter = lettered(CHOICE).targets[0]
    _, answer = ask(Prompt(options="lettered", answer="typed", shots=()), CHOICE, "text", [text(f"({letter})")])
    assert answer.response == "beta"


def test_options_hidden_listed_or_as_the_task_has_them() -> None:
    for shown, lines in (("own", 2), ("listed", 2), ("hidden", 0)):
        asked, _ = ask(Prompt(options=shown, shots=()), CHOICE, "options", [scored(-1.0, -2.0)])
        assert asked[0].prompt.count("choice: ") == lines


def test_shots_of_the_file_take_the_place_of_the_drawn_ones() -> None:
    shots = (Example("s", "one?", ("yes",), ("yes", "no"), (1.0, 0.0)),)
    asked, _ = ask(Prompt(shots=shots), CHOICE, "options", [scored(-1.0, -2.0)])
    assert "one?" in asked[0].prompt
    assert "drawn?" not in asked[0].prompt
    asked, _ = ask(Prompt(), CHOICE, "options", [scored(-1.0, -2.0)])
    assert "drawn?" in asked[0].prompt
    asked, _ = ask(Prompt(options="lettered", shots=shots), CHOICE, "options", [scored(-1.0, -2.0)])
    letter = lettered(shots[0]).targets[0]
    assert f"{lettered(shots[0]).input}\nA: {letter}\n" in asked[0].prompt


def test_typed_answers_are_found_in_sentences() -> None:
    for answer, response in (("own", "There are 5 of them"), ("typed", "5")):
        _, found = ask(Prompt(answer=answer, shots=()), COUNT, "text", [text("There are 5 of them. Or")])
        assert found.response == response


def test_settings_reach_the_strategy() -> None:
    prompt = Prompt("zero_shot_cot", {"trigger": "First,", "max_tokens": 7}, shots=())
    asked, _ = ask(prompt, COUNT, "text", [text(" one")], [text(" 5")])
    assert asked[0].prompt.endswith("A: First,")
    assert asked[0].max_tokens == 7


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8).map(lambda t: t.replace("\r", ""))
shots = st.builds(
    lambda text, right, wrong, why: Example("shot0", text, (right,), (right, wrong), (1.0, float(right == wrong)), why),
    texts, texts, texts, texts,
)  # fmt: skip
prompts = st.builds(
    Prompt,
    strategy=st.sampled_from(["direct", "zero_shot_cot"]),
    settings=st.dictionaries(st.sampled_from(["trigger", "answer_trigger"]), texts, max_size=2),
    template=st.dictionaries(st.sampled_from(["input_prefix", "separator"]), texts, max_size=2),
    options=st.sampled_from(["own", "lettered"]),
    answer=st.sampled_from(["own", "typed"]),
    shots=st.none() | st.lists(shots, max_size=1).map(tuple),
    task=st.just("t"),
    chosen_on=st.lists(texts, max_size=3).map(tuple),
)


@given(prompts)
def test_a_prompt_file_reads_back_equal(prompt: Prompt) -> None:
    again = parse_prompt(prompt.to_toml(), "p.toml")
    assert again == prompt
    assert again.digest == prompt.digest == replace(prompt, chosen_on=(), task="").digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strategy = ", "p.toml: not valid TOML"),
        ('strtegy = "direct"', "p.toml: strtegy: unknown field; did you mean strategy?"),
        ('strategy = "dirct"', "p.toml: strategy: unknown strategy 'dirct'; use direct"),
        ("options = 3", "p.toml: options: must be a text, not 3"),
        ('options = "bold"', "p.toml: options: 'bold'; use own, listed, hidden, lettered"),
        ('answer = "free"', "p.toml: answer: 'free'; use own, typed"),
        ('[template]\nprefix = "x"', "p.toml: template.prefix: give a text for one of task_prefix"),
        ('[[shots]]\ninput = "x"', "p.toml: shots[0].target: give a text"),
        ('[[shots]]\ninput = "x"\ntarget = "y"\nanswer = "z"', "p.toml: shots[0].answer: unknown field"),
        ('[[shots]]\ninput = "x"\ntarget = "y"\noptions = "yz"', "p.toml: shots[0].options: must be a list of texts"),
        ("shots = [3]", "p.toml: shots[0]: must be a table"),
        ("chosen_on = [3]", "p.toml: chosen_on: must be a list of example ids"),
    ],
)
def test_errors_name_the_field(text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        parse_prompt(text, "p.toml")
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_more_options_than_letters() -> None:
    many = Example("m", "?", ("0",), tuple(map(str, range(27))), (1.0,) + (0.0,) * 26)
    with pytest.raises(UserError, match="example m has 27; letters go to 26"):
        ask(Prompt(options="lettered", shots=()), many, "options")


def test_the_rest_of_the_rendering_stays() -> None:
    form = Rendering(task_prefix="Hello. ", output_prefix=" = ")
    task = Task("t", (COUNT,), ("m",), "m", rendering=form)
    asking = ask_as(
        Prompt(template={"input_prefix": "Say: "}, shots=()), Question(task, FewShotExample(COUNT), frozenset({"text"}))
    )
    assert next(asking)[0].prompt == "Hello. Say: how many? = "
