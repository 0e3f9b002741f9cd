"""Installing BIG-bench from an archive and a checkout (small ones), and finding tasks in it."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from bigbench_files import unpack

from scalecurve.errors import UserError
from scalecurve.strategies.bigbench_check import check_bigbench
from scalecurve.tasks import list_tasks, load_tasks
from scalecurve.tasks.bigbench import LITE, VARIABLE, cache_dir, installed
from scalecurve.tasks.bigbench_install import install, verify

PREFIX = "bigbench-1.0.0/bigbench/benchmark_tasks"
LEAVES = 11


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    unpack(root / "bigbench" / "benchmark_tasks")
    return root


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


def pack(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> str:
    """Write a tar.gz and return its SHA-256."""
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def archive(path: Path, checkout: Path) -> str:
    root = checkout / "bigbench" / "benchmark_tasks"
    files = {f"{PREFIX}/{file.relative_to(root)}": file.read_bytes() for file in sorted(root.rglob("*.json"))}
    return pack(path, {"bigbench-1.0.0/setup.py": b"raise SystemExit", f"{PREFIX}/t/README.md": b"-", **files})


def test_an_archive_becomes_an_index_and_only_what_is_needed(cache: Path, tmp_path: Path, checkout: Path) -> None:
    assert not installed()
    path = tmp_path / "bigbench.tar.gz"
    manifest = install(path, sha256=archive(path, checkout))
    assert (manifest["leaves"], manifest["containers"]) == (LEAVES, 1)
    assert {file.suffix for file in cache.rglob("*") if file.is_file()} == {".json"}
    assert verify() == []
    listed = list_tasks("bigbench")
    assert len(listed) == LEAVES
    for listing in listed:
        (task,) = load_tasks(listing.ref)
        assert (task.name, len(task.examples), task.chance) == (listing.name, listing.n_examples, listing.chance)
        assert (task.source, task.flags) == ("bigbench", listing.flags)
    assert {task.name for task in load_tasks("bigbench:modified_arithmetic")} == {
        listing.name for listing in listed if listing.name.startswith("modified_arithmetic:")
    }
    assert {task.name for task in load_tasks("bigbench:lite")} == {"emoji_movie", "known_unknowns"}
    damaged = cache / "benchmark_tasks" / "tense" / "task.json"
    damaged.write_bytes(damaged.read_bytes().replace(b"a", b"b"))
    assert verify() == ["tense/task.json"]


def test_an_interrupted_installation_goes_on(cache: Path, tmp_path: Path, checkout: Path) -> None:
    path = tmp_path / "bigbench.tar.gz"
    digest = archive(path, checkout)
    steps = 0

    def stop_after_three(what: str, done: int, total: int) -> None:
        nonlocal steps
        steps += what == "unpack"
        if steps == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(path, sha256=digest, progress=stop_after_three)
    assert not installed()
    kept = {file: file.stat().st_mtime_ns for file in cache.rglob("task.json")}
    assert len(kept) == 3
    for name in ("unpacked.jsonl", "indexed.jsonl"):
        with (cache / name).open("a") as log:
            log.write('["torn')

    def stop_in_the_index(what: str, done: int, total: int) -> None:
        if what == "index" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(path, sha256=digest, progress=stop_in_the_index)
    assert not installed()
    assert len((cache / "indexed.jsonl").read_text().splitlines()) >= 3
    install(path, sha256=digest)
    assert not list(cache.glob("*.jsonl"))
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert verify() == []
    assert len(list_tasks("bigbench")) == LEAVES


def test_a_checkout_serves_as_well_and_replaces_what_was_there(cache: Path, checkout: Path) -> None:
    for source in (checkout, checkout / "bigbench", checkout / "bigbench" / "benchmark_tasks"):
        assert install(source)["leaves"] == LEAVES
    stranger = cache / "benchmark_tasks" / "old" / "task.json"
    stranger.parent.mkdir()
    stranger.write_text("{}")
    install(checkout)
    assert not stranger.exists()
    checked = check_bigbench()
    assert (checked.leaves, checked.failures) == (LEAVES, [])
    assert checked.prompts == LEAVES * 2 * 5


@pytest.mark.parametrize(
    "name", [f"{PREFIX}/../../../evil.json", f"/{PREFIX}/t/task.json", f"{PREFIX}/t\\task.json", f"{PREFIX}/C:/t.json"]
)
def test_unsafe_paths_write_nothing(cache: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.tar.gz"
    with pytest.raises(UserError, match="unsafe path"):
        install(path, sha256=pack(path, {name: b"{}"}))
    assert not list(tmp_path.rglob("evil.json"))
    assert not installed()


def test_links_are_refused(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "link.tar.gz"
    digest = pack(path, {}, {f"{PREFIX}/t/task.json": "/etc/passwd"})
    with pytest.raises(UserError, match="a link or too large"):
        install(path, sha256=digest)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_links_of_either_kind_are_refused(kind: bytes, cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "link.tar.gz"
    link = tarfile.TarInfo(f"{PREFIX}/t/task.json")
    link.type, link.linkname = kind, "../../../../../outside"
    path.write_bytes(gzip.compress(link.tobuf() + b"\0" * 1024))
    with pytest.raises(UserError, match="a link or too large"):
        install(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert not installed()


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [(f"{PREFIX}/t/task.json", 1 << 30, "too large"), ("other/file", 40 << 30, "swells beyond")],
)
def test_archives_that_swell_are_refused(name: str, size: int, said: str, cache: Path, tmp_path: Path) -> None:
    """By what their heads say, before anything is unpacked; also of files that are not installed."""
    path = tmp_path / "bomb.tar.gz"
    head = tarfile.TarInfo(name)
    head.size = size
    path.write_bytes(gzip.compress(head.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096))
    with pytest.raises(UserError, match=said):
        install(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert not installed()


def test_what_is_not_bigbench_is_refused(cache: Path, tmp_path: Path, checkout: Path) -> None:
    path = tmp_path / "other.tar.gz"
    archive(path, checkout)
    with pytest.raises(UserError, match=r"SHA-256 is .* not 1bb398a5512c"):
        install(path)
    with pytest.raises(UserError, match="no such file"):
        install(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no benchmark_tasks"):
        install(tmp_path / "empty")
    path.write_bytes(b"not a tar")
    with pytest.raises(UserError, match=r"not a readable tar\.gz"):
        install(path, sha256=hashlib.sha256(b"not a tar").hexdigest())
    with pytest.raises(UserError, match="holds no benchmark_tasks"):
        install(path, sha256=pack(path, {"a/b.json": b"{}"}))


def test_without_an_installation_there_is_advice(cache: Path) -> None:
    assert cache_dir() == cache
    for ref in ("bigbench:tense", "bigbench:lite"):
        with pytest.raises(UserError, match="run: scalecurve tasks install bigbench"):
            load_tasks(ref)
    with pytest.raises(UserError, match="run: scalecurve tasks install bigbench"):
        list_tasks("bigbench")
    assert {listing.source for listing in list_tasks()} == {"lab", "inverse"}


def test_unknown_names_and_a_damaged_index(cache: Path, checkout: Path) -> None:
    install(checkout)
    with pytest.raises(UserError, match="did you mean emoji_movie"):
        load_tasks("bigbench:emoji_movies")
    with pytest.raises(UserError, match=r"did you mean .*three_digit_addition_control"):
        load_tasks("bigbench:modified_arithmetic:three_digit_addition")
    (cache / "index.json").write_text(json.dumps({"x": 1}))
    with pytest.raises(UserError, match="damaged"):
        load_tasks("bigbench:tense")


def test_lite_has_24_tasks() -> None:
    assert len(set(LITE)) == 24
