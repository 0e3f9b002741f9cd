"""Files that strangers could send: each kind writes its own into a folder and says what command reads it.

Used by ``test_hostile_files.py`` in this process, and by ``benchmarks/attack.py`` with the installed command.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

Kind = Callable[[Path], list[str]]
KINDS: dict[str, Kind] = {}
"""Name → a function that writes into a folder and returns the arguments of ``scalecurve``, to be run in that folder."""

SECRET = "not-for-the-prompt-5551212"
YAML = "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\n"


def _task(name: str, more: str, docs: str = '{"q": "x"}\n', base: str = YAML) -> None:
    """A task of lm-evaluation-harness with ``more`` fields."""

    def write(folder: Path) -> list[str]:
        (folder / "outside.jsonl").write_text(json.dumps({"q": SECRET}) + "\n")
        (folder / "outside.yaml").write_text(f"description: {SECRET}\n")
        own = folder / "task"
        own.mkdir()
        (own / "d.jsonl").write_text(docs)
        os.mkfifo(own / "pipe.jsonl")
        (own / "link.jsonl").symlink_to(folder / "outside.jsonl")
        text = "doc_to_text: '{{q}}'\ndoc_to_target: q\n"
        fields = more.replace("FOLDER", str(folder))
        kept = "".join(line + "\n" for line in text.splitlines() if line.split(":")[0] not in fields)
        (own / "t.yaml").write_text(base + kept + fields + "\n")
        return ["tasks", "show", "lm-eval:task/t.yaml"]

    KINDS[name] = write


def _template(name: str, template: str) -> None:
    _task(f"template: {name}", f"doc_to_text: {json.dumps(template)}")


_template("a text of 100 GB", "{{ 'a' * 100000000000 }}")
_template("a text of 10 GB", "{{ 'a' * 10000000000 }}")
_template("center", "{{ 'a'.center(6000000000) }}")
_template("replace", "{{ ('a' * 3000000).replace('a', 'a' * 3000000) }}")
_template("a macro that calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")
_template("brackets", "{{ " + "(" * 500 + "1" + ")" * 500 + " }}")
_template("loops in loops", "{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}")
_template("lipsum", "{{ lipsum(n=1000000) }}")
_template("a regular expression", "{{ ('a' * 80 + 'b') | regex_replace('(a|aa)+$', 'x') }}")
for number, escape in enumerate((
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.system('touch owned') }}",
    "{{ lipsum.__globals__['os'].popen('touch owned').read() }}",
    "{{ (q | attr('__class__')).mro() }}",
    "{{ self.__init__.__globals__.__builtins__['open']('owned', 'w') }}",
    "{{ joiner.__call__.__globals__ }}",
    "{{ '{0.__class__.__mro__}'.format(q) }}",
    "{{ ('{0.__class__}' | format) ~ namespace.__init__.__globals__ }}",
    "{% import 'os' as os %}{{ os.system('touch owned') }}",
    "{% include '/etc/passwd' %}",
)):  # fmt: skip
    _template(f"escape {number}", escape)

_BOMB = "metadata:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  {chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)
_task("YAML: aliases that multiply", _BOMB)
_task("YAML: metadata that holds itself", "metadata: &m {self: *m}")
_task("YAML: 100,000 brackets", f"metadata: {'[' * 100_000}")
_task("YAML: a template given as an object", "metadata: !!python/object/apply:os.system ['touch owned']")
_task("YAML: includes a file that is none of its kind", "include: /etc/passwd")
_task("YAML: includes itself", "include: t.yaml")
_files = "dataset_kwargs: {{data_files: {{test: {}}}}}"
for title, path in {
    "a device": "/dev/zero",
    "a pipe": "pipe.jsonl",
    "an absolute path": "FOLDER/outside.jsonl",
    "a path that climbs": "../outside.jsonl",
    "a link that leads out": "link.jsonl",
    "the home folder": "~/.bashrc",
    "every file": "../*",
}.items():
    _task(
        f"data_files: {title}",
        _files.format(path),
        base=YAML.replace("dataset_kwargs: {data_files: {test: d.jsonl}}\n", ""),
    )


def kind(name: str) -> Callable[[Kind], Kind]:
    def keep(write: Kind) -> Kind:
        KINDS[name] = write
        return write

    return keep


@kind("task.json: a pipe")
def _pipe(folder: Path) -> list[str]:
    os.mkfifo(folder / "task.json")
    return ["tasks", "show", "task.json"]


@kind("task.json: a device")
def _device(folder: Path) -> list[str]:
    (folder / "task.json").symlink_to("/dev/zero")
    return ["tasks", "show", "task.json"]


@kind("task.json: nested without end")
def _nested(folder: Path) -> list[str]:
    (folder / "task.json").write_text('{"examples": ' + "[" * 100_000)
    return ["tasks", "show", "task.json"]


@kind("task.json: a number of 100,000 digits")
def _digits(folder: Path) -> list[str]:
    (folder / "task.json").write_text('{"examples": ' + "9" * 100_000 + "}")
    return ["tasks", "show", "task.json"]


@kind("study: a pipe")
def _study_pipe(folder: Path) -> list[str]:
    os.mkfifo(folder / "study.toml")
    return ["run", "study.toml"]


@kind("study: a device")
def _study_device(folder: Path) -> list[str]:
    return ["run", "/dev/zero"]


@kind("import: a pipe")
def _import_pipe(folder: Path) -> list[str]:
    os.mkfifo(folder / "scores.csv")
    return ["import", "table", "scores.csv", "--into", "run"]


@kind("import: a device")
def _import_device(folder: Path) -> list[str]:
    return ["import", "table", "/dev/zero", "--into", "run"]


@kind("import: JSON nested without end")
def _import_nested(folder: Path) -> list[str]:
    (folder / "results_1.json").write_text("[" * 100_000)
    return ["import", "lm-eval", "results_1.json", "--into", "run"]


@kind("import: Parquet that is none")
def _import_parquet(folder: Path) -> list[str]:
    (folder / "scores.parquet").write_bytes(b"PAR1" + b"\x15" * 3000 + (2000).to_bytes(4, "little") + b"PAR1")
    return ["import", "table", "scores.parquet", "--into", "run"]


def weights(folder: Path, config: dict[str, object], normalizer: object = None) -> list[str]:
    """A folder of weights with a tiny tensor, and the study that asks it."""
    from tokenizers import Tokenizer, models

    own = folder / "weights"
    own.mkdir()
    sizes = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "vocab_size": 64,
             "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}  # fmt: skip
    (own / "config.json").write_text(json.dumps(sizes | config))
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (own / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    tokenizer = json.loads(Tokenizer(models.BPE({"a": 0}, [])).to_str())
    (own / "tokenizer.json").write_text(json.dumps(tokenizer | {"normalizer": normalizer}))
    (folder / "s.toml").write_text('models = ["weights"]\ntasks = ["lab:addition:2_digits"]\nlimit = 2\n')
    return ["run", "s.toml", "--quiet", "--out", "run"]


@kind("config.json: ten million layers")
def _layers(folder: Path) -> list[str]:
    return weights(folder, {"num_hidden_layers": 10**7})


@kind("config.json: layers in an inner table")
def _inner_layers(folder: Path) -> list[str]:
    return weights(folder, {"text_config": {"num_hidden_layers": 10**7}})


@kind("config.json: a model of terabytes")
def _wide(folder: Path) -> list[str]:
    return weights(folder, {"hidden_size": 10**6, "vocab_size": 10**6})


@kind("tokenizer.json: a normaliser that doubles thirty times")
def _doubling(folder: Path) -> list[str]:
    one = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    return weights(folder, {}, {"type": "Sequence", "normalizers": [one] * 30})


@kind("tokenizer.json: a normaliser that puts in between")
def _between(folder: Path) -> list[str]:
    one = {"type": "Replace", "pattern": {"Regex": ""}, "content": "a"}
    return weights(folder, {}, {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [one] * 30}]})
