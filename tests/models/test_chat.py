"""Chat templates: what an instruction model is really shown, on the laboratory's real tokenizer with a template."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from scalecurve.errors import UserError
from scalecurve.models import load_ladder, open_model
from scalecurve.models.chat import DATE, ChatTemplate, chat_template
from scalecurve.types import Output, Request, Rung

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}<|endoftext|>\n"
    "{% endfor %}{% if add_generation_prompt %}<assistant>\n{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TEMPLATE


def folder_of(path: Path, template: str | None) -> Path:
    """The smallest rung of the laboratory, with a chat template beside its tokenizer."""
    shutil.copytree(load_ladder("lab").rungs[0].location, path)
    if template is not None:
        (path / "chat_template.jinja").write_text(template)
    return path


def rung_of(folder: Path, **options: Any) -> Rung:
    return Rung("little", "transformers", str(folder), options=options)


def answer(model: Any, *requests: Request) -> list[Output]:
    outputs: dict[int, Output] = {}
    model.run(requests, outputs.__setitem__)
    return [outputs[at] for at in range(len(requests))]


def tokenizer_of(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("chat") / "little", TEMPLATE)


def test_the_prompt_is_the_users_turn_and_an_option_begins_the_reply(folder: Path) -> None:
    template = ChatTemplate("little", tokenizer_of(folder), system="Be brief.")
    asked = template.request(Request("\nQ: Who?\nA: ", options=(" Ann", "Bob", " ")))
    system = "<system>Be brief.<|endoftext|>\n"
    assert asked.prompt == f"<|endoftext|>{system}<user>Q: Who?\nA:<|endoftext|>\n<assistant>\n"
    assert asked.options == ("Ann", "Bob", " ")
    assert template.request(asked).prompt != asked.prompt, "nothing marks a text as templated; it is done once"


def test_the_reply_ends_with_the_turn(folder: Path) -> None:
    tokenizer = tokenizer_of(folder)
    assert ChatTemplate("little", tokenizer).ends == {tokenizer.convert_tokens_to_ids("<|endoftext|>")}


def test_a_chat_is_scored_like_the_text_it_becomes(folder: Path) -> None:
    """Beginning-of-text stands there once: the template writes it, the tokenizer adds none."""
    chat, plain = open_model(rung_of(folder, chat=True)), open_model(rung_of(folder))
    request = Request("\nQ: Who?\nA: ", options=("Ann", "Bob"))
    written = "<|endoftext|><user>Q: Who?\nA:<|endoftext|>\n<assistant>\n"
    (one,), (other,) = answer(chat, request), answer(plain, Request(written, options=request.options))
    assert one == other
    ids = tokenizer_of(folder)(written, add_special_tokens=False)["input_ids"]
    assert (one.prompt_tokens, ids.count(ids[0])) == (len(ids) - 1, 2)  # the last line break is scored with the option
    (text,) = answer(chat, Request("\nQ: Who?\nA: ", max_tokens=4))
    assert text == answer(plain, Request(written, max_tokens=4))[0]


def test_the_fingerprint_knows_the_template(folder: Path, tmp_path: Path) -> None:
    other = folder_of(tmp_path / "other", TEMPLATE.replace("<assistant>", "<model>"))
    rungs = [
        rung_of(folder), rung_of(folder, chat=True), rung_of(folder, chat=True, system="Be brief."),
        rung_of(other, chat=True),
    ]  # fmt: skip
    prints = [open_model(rung).fingerprint for rung in rungs]
    assert len(set(prints)) == 4
    assert open_model(rung_of(other)).fingerprint == prints[0], "unused, a template changes nothing"


def test_a_model_without_template_says_so(tmp_path: Path) -> None:
    bare = folder_of(tmp_path / "bare", None)
    with pytest.raises(UserError, match="little: options: chat: its tokenizer has no chat template") as caught:
        open_model(rung_of(bare, chat=True))
    assert "\n" not in str(caught.value)


def test_a_template_without_system_role(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(folder_of(tmp_path / "strict", NO_SYSTEM))
    with pytest.raises(UserError, match=r"refuses this .*no system role.*leave system out"):
        ChatTemplate("little", tokenizer, system="Be brief.")
    assert ChatTemplate("little", tokenizer).text("a").count("<user>a") == 1


def test_templates_that_write_the_date_get_a_fixed_one(tmp_path: Path) -> None:
    dated = TEMPLATE.replace("{{ bos_token }}", "{{ bos_token }}{{ strftime_now('%d %B %Y') }} ")
    tokenizer = tokenizer_of(folder_of(tmp_path / "dated", dated))
    assert ChatTemplate("little", tokenizer).text("a").startswith(f"<|endoftext|>{DATE} <user>a")


ALTERNATING = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}"
)
STRICT = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ bos_token }}"
    "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "system", "words"),
    [
        ("{% for m in messages %}{{ m.content }", None, "chat template"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}{{ tools | length }}", None, "chat template"),
        (ALTERNATING, "Be brief.", "leave system out"),
        (STRICT, "Be brief.", "leave system out"),
    ],
    ids=["broken", "tools", "alternating", "no system role"],
)
def test_templates_that_cannot_render_a_question_are_refused_in_one_line(
    template: str, system: str | None, words: str, tmp_path: Path
) -> None:
    given = {"chat": True} | ({"system": system} if system else {})
    with pytest.raises(UserError, match="little: options: ") as caught:
        open_model(rung_of(folder_of(tmp_path / "m", template), **given))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_templates_without_a_system_role_are_rendered_without_one(tmp_path: Path) -> None:
    alternating = tokenizer_of(folder_of(tmp_path / "a", ALTERNATING))
    assert ChatTemplate("little", alternating).text("Who?") == "<user>Who?"
    strict = tokenizer_of(folder_of(tmp_path / "b", STRICT))
    text = ChatTemplate("little", strict).text("Who?")
    assert text == "<|endoftext|><start_of_turn>user\nWho?<end_of_turn>\n<start_of_turn>model\n"


def named(path: Path, **templates: str) -> Path:
    """A folder whose tokenizer brings several templates along by name."""
    folder_of(path, None)
    settings = json.loads((path / "tokenizer_config.json").read_text())
    settings["chat_template"] = [{"name": name, "template": template} for name, template in templates.items()]
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return path


def test_of_several_templates_the_default_is_taken_or_none(tmp_path: Path) -> None:
    both = named(tmp_path / "both", default=TEMPLATE, tool_use="{{ tools | length }}")
    opened = open_model(rung_of(both, chat=True))
    assert opened._chat.text("Who?").startswith("<|endoftext|><user>Who?")
    with pytest.raises(UserError, match="little: options: chat: ") as caught:
        open_model(rung_of(named(tmp_path / "one", rag=TEMPLATE), chat=True))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"chat": "yes"}, {"chat": True, "system": 3}, {"system": "Be brief."}])
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="little: options: "):
        chat_template(Rung("little", "transformers", "x", options=options), None)
