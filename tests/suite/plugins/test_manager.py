"""Plugins: found without importing them, loaded one by one, and a broken one harms nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from suite.errors import PluginError, UsageError
from suite.plugins import Registry, registry
from suite.plugins.entry_points import CELLS, COMMANDS, RESERVED, TASKS, EntryPoint

TASK = '''"""{summary}"""
from suite.hooks import hookimpl
import suite_sentiment

@hookimpl
def suite_tasks():
    return [type("Named", (suite_sentiment.Sentiment,), {{"name": name}}) for name in {names}]
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """``module(name, source)`` puts a module of that name on the path."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def write(name: str, source: str) -> str:
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
        return name

    yield write  # type: ignore[misc]
    for name in set(sys.modules) - before:
        if name.startswith("plug_"):
            del sys.modules[name]


def entry(name: str, module: str, group: str = TASKS, distribution: str = "other") -> EntryPoint:
    return EntryPoint(group, name, module, distribution, "1.0")


def good(module: Callable[[str, str], str], name: str = "good") -> EntryPoint:
    return entry(name, module(f"plug_{name}", TASK.format(summary="It works.", names=[name])))


# --- finding ------------------------------------------------------------------------------------------------


def distribution(folder: Path, name: str, points: str, kind: str = "dist-info") -> Path:
    """An installed package without any code."""
    info = folder / f"{name}.{kind}"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.partition('-')[0]}\nVersion: 1\n")
    (info / "entry_points.txt").write_bytes(points.encode("utf-8"))
    return info


def test_entry_points_are_found_without_importing_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(
        tmp_path, "suite_juggling-2.5",
        "[console_scripts]\nx = y:z\n\n[suite.tasks]\njuggle = plug_absent\n# no = comment\n\n"
        "[suite.cells]\nball = plug_absent.cells:Ball [extra]\n[suite.commands]\nthrow=plug_absent.throw\n",
    )  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    found = Registry()
    assert "juggle" in found.task_names()
    assert "ball" in found.cell_names()
    assert "throw" in found.command_names()
    assert "sentiment" in found.task_names()
    status = next(s for s in found.report() if s.module == "plug_absent")
    assert (status.distribution, status.version, status.status) == ("suite-juggling", "2.5", "found")
    assert not [name for name in sys.modules if name.startswith("plug_absent")]
    with pytest.raises(PluginError, match=r"plug_absent \(suite-juggling 2\.5\) is broken: ModuleNotFoundError"):
        found.task("juggle")


def test_the_first_distribution_of_a_name_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, module in (("one", "plug_one"), ("two", "plug_two")):
        distribution(tmp_path / folder, "Suite_Twice-1.0", f"[suite.tasks]\ntwice = {module}\n", "egg-info")
    monkeypatch.syspath_prepend(tmp_path / "two")
    monkeypatch.syspath_prepend(tmp_path / "one")
    found = Registry()
    assert [s.module for s in found.report() if s.distribution == "suite-twice"] == ["plug_one"]


@pytest.mark.parametrize(
    "points", ["[suite.tasks\n=\n", "[suite.tasks]\n= plug_x\nempty =\nno line\n", "\x00", "x" * 100]
)
def test_nonsense_in_a_package_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: str) -> None:
    info = distribution(tmp_path, "odd-1", points)
    other = distribution(tmp_path, "binary-1", "")
    (other / "entry_points.txt").write_bytes(b"\xff\xfe[suite.tasks]\nx = y\n")
    (tmp_path / "a_file.dist-info").write_text("not a folder")
    monkeypatch.syspath_prepend(tmp_path)
    assert info.exists()
    assert Registry().task_names() == registry().task_names()


def test_summaries_are_read_not_run(module: Any) -> None:
    entries = [
        entry("a", module("plug_a", '"""What it does.\n\nMore."""\nraise SystemExit(1)\n')),
        entry("b", module("plug_b", "x = 1\n")),
        entry("c", module("plug_c", "def broken(:\n")),
        entry("d", "plug_nowhere"),
        entry("e", ".relative"),
        entry("f", "os.path"),
        entry("g", "suite.nn.cells.lstm"),
    ]
    found = Registry(entries)
    summaries = {name: found.summary(TASKS, name) for name in found.task_names()}
    assert summaries["a"] == "What it does."
    assert summaries["b"] == summaries["d"] == ""
    assert summaries["c"].startswith("broken: ")
    assert summaries["g"].startswith("Long short-term memory")
    assert "plug_a" not in sys.modules


def test_this_installations_own() -> None:
    assert "sentiment" in registry().task_names()
    assert {"gru", "lstm", "mingru", "rglru", "rnn"} <= set(registry().cell_names())
    assert registry() is registry()
    assert registry().task("sentiment").name == "sentiment"


# --- loading ------------------------------------------------------------------------------------------------


def test_a_plugin_is_loaded_when_it_is_used(module: Any) -> None:
    found = Registry([good(module), good(module, "better")])
    assert found.task("good").name == "good"
    assert "plug_good" in sys.modules
    assert "plug_better" not in sys.modules
    states = {s.module: s.status for s in found.report()}
    assert states == {"plug_good": "loaded", "plug_better": "found"}
    assert next(s for s in found.report() if s.seconds is not None).module == "plug_good"
    assert {s.status for s in found.report(load=True)} == {"loaded"}


def test_one_module_with_two_tasks(module: Any) -> None:
    name = module("plug_two", TASK.format(summary="Two.", names=["one", "two"]))
    found = Registry([entry("one", name), entry("two", name)])
    assert (found.task("two").name, found.task("one").name) == ("two", "one")
    assert found.report()[0].names == {"tasks": ["one", "two"]}


def test_an_unknown_name_names_the_nearest(module: Any) -> None:
    found = Registry([good(module)])
    with pytest.raises(UsageError, match=r"^no task named 'goood'; did you mean 'good'\?$"):
        found.task("goood")
    with pytest.raises(UsageError, match=r"^no cell named 'lstm'; none is known$"):
        found.cell("lstm")


IMPORT = "from suite.hooks import hookimpl\n"
BROKEN = {
    "import error": ("import plug_missing_thing\n", "ModuleNotFoundError: No module named 'plug_missing_thing'"),
    "syntax error": ("def f(:\n", "SyntaxError in "),
    "exit": ("import sys\nsys.exit(3)\n", "it called sys.exit(3) while loading"),
    "any exception": ("raise RuntimeError('two\\nlines')\n", "RuntimeError: two lines"),
    "a base exception": ("class E(BaseException): pass\nraise E('odd')\n", "E: odd"),
    "unknown hook": (
        IMPORT + "@hookimpl\ndef suite_task(): return []\n",
        "unknown hook 'suite_task'; did you mean 'suite_tasks'?",
    ),
    "wrong arguments": (
        IMPORT + "@hookimpl\ndef suite_tasks(config): return []\n",
        "hook suite_tasks has no argument 'config'; write def suite_tasks()",
    ),
    "wrong arguments of a command": (
        IMPORT + "@hookimpl\ndef suite_commands(app): ...\n",
        "hook suite_commands has no argument 'app'; write def suite_commands(cli)",
    ),
    "a hook that raises": (IMPORT + "@hookimpl\ndef suite_tasks(): return 1 / 0\n", "ZeroDivisionError"),
    "a hook that exits": (IMPORT + "@hookimpl\ndef suite_tasks(): raise SystemExit\n", "it called sys.exit(None)"),
    "a newer interface": ("api_version = 99\n", "written for plugin interface 99, this suite has 2: upgrade"),
    "a newer interface that cannot be imported": (
        "api_version = 99\nfrom suite.hooks import what_is_not_here\n",
        "written for plugin interface 99, this suite has 2: upgrade",
    ),
    "a strange interface": ("api_version = 'one'\n", "written for plugin interface 'one'"),
    "an older interface": (
        "api_version = 1\n",
        "written for plugin interface 1, this suite has 2, where a task is a class: see docs/plugins.md",
    ),
    "an older interface that cannot be imported": (
        "api_version = 1\nfrom suite.task import Task, later\n",
        "written for plugin interface 1, this suite has 2, where a task is a class: see docs/plugins.md",
    ),
    "an undeclared older interface, by a name": (
        "from suite.task import Task, later\n",
        "it imports suite.task.later, which does not exist: it was probably written for plugin interface 1, this suite "
        "has 2: see docs/plugins.md, 'From interface 1'",
    ),
    "an undeclared older interface, by a module": (
        "from suite.pipelines import Pipeline\n",
        "it imports suite.pipelines, which does not exist: it was probably written for plugin interface 1",
    ),
    "an undeclared older interface, by a task": (
        IMPORT + "from suite.task import Task\nTASK = Task(name='bad', mapping='aligned')\n",
        "it calls Task(…), and a task is a class now: it was probably written for plugin interface 1",
    ),
    "an undeclared older interface, by a hook": (
        IMPORT + "from suite.task import Task\n@hookimpl\ndef suite_tasks(): return [Task(name='bad')]\n",
        "it calls Task(…), and a task is a class now: it was probably written for plugin interface 1",
    ),
    "not a list": (IMPORT + "@hookimpl\ndef suite_tasks(): return 5\n", "TypeError"),
    "not a task": (
        IMPORT + "@hookimpl\ndef suite_tasks(): return ['bad']\n",
        "returned 'bad', which is not a suite.Task",
    ),
    "an unfinished task": (
        IMPORT + "from suite.task import Task\nclass Bad(Task): name = 'bad'\n"
        "@hookimpl\ndef suite_tasks(): return [Bad]\n",
        "Bad must override build_model, fit_codecs, metrics, predict, render",
    ),
    "no hooks": ("x = 1\n", "its hooks returned no task of that name"),
    "another name": (TASK.format(summary="", names=["other"]), "provides 'other' without an entry point of that name"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_says_why_and_others_work(module: Any, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    source, reason = BROKEN[what]
    bad = entry("bad", module("plug_bad", source))
    found = Registry([good(module), bad, good(module, "zebra")])
    for _ in range(2):
        with pytest.raises(PluginError) as error:
            found.task("bad")
        text = str(error.value)
        assert text.startswith("task 'bad': plug_bad (other 1.0) is broken: ")
        assert reason in text
        assert "\n" not in text
    assert found.task("good").name == "good"
    assert found.task("zebra").name == "zebra"
    assert found.task_names() == ["bad", "good", "zebra"]
    states = {s.module: s for s in found.report(load=True)}
    assert states["plug_good"].status == states["plug_zebra"].status == "loaded"
    if what not in ("no hooks", "another name"):
        assert states["plug_bad"].status == "broken"
        assert reason in states["plug_bad"].error
    assert capsys.readouterr() == ("", "")


def test_a_wrong_hook_is_told_the_right_name(module: Any) -> None:
    found = Registry([entry("bad", module("plug_bad", BROKEN["unknown hook"][0]))])
    with pytest.raises(PluginError, match=r"did you mean 'suite_tasks'\?"):
        found.task("bad")


def test_the_cause_of_a_failure_is_kept(module: Any) -> None:
    found = Registry([entry("bad", module("plug_bad", BROKEN["a hook that raises"][0]))])
    with pytest.raises(PluginError) as error:
        found.task("bad")
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_an_old_interface_is_told_without_a_traceback(module: Any) -> None:
    for what in BROKEN:
        found = Registry([entry("bad", module("plug_bad", BROKEN[what][0]))])
        sys.modules.pop("plug_bad", None)
        (status,) = found.report(load=True)
        if "older interface" in what:
            assert status.cause is None, what
    source = "api_version = 2\nfrom suite.task import what_is_not_here\n"
    found = Registry([entry("new", module("plug_new", source))])
    (status,) = found.report(load=True)
    assert status.error.startswith("ImportError: cannot import name 'what_is_not_here'")
    assert isinstance(status.cause, ImportError)


def test_a_folder_that_hides_a_package_is_named(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work" / "plug_hidden"
    (folder / "src").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "work")
    found = Registry([entry("hidden", "plug_hidden"), entry("inner", "plug_hidden.inner"), good(module)])
    reason = f"{folder} is a folder without __init__.py that hides the package 'plug_hidden'; run from another folder"
    for name in ("hidden", "inner"):
        with pytest.raises(PluginError) as error:
            found.task(name)
        assert reason in str(error.value)
        assert "\n" not in str(error.value)
    assert found.task("good").name == "good"
    # A namespace package on purpose.
    (folder / "inner.py").write_text(TASK.format(summary="", names=["inner"]))
    assert Registry([entry("inner", "plug_hidden.inner")]).task("inner").name == "inner"


def test_an_interrupt_is_nobodys_fault(module: Any) -> None:
    found = Registry([entry("bad", module("plug_bad", "raise KeyboardInterrupt\n"))])
    with pytest.raises(KeyboardInterrupt):
        found.task("bad")


def test_what_a_plugin_prints_does_not_reach_the_output(module: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source = "print('hello from a plugin')\n" + TASK.format(summary="", names=["good"]).replace(
        "    return", "    print('and again')\n    return"
    )
    found = Registry([entry("good", module("plug_good", source))])
    assert found.task("good").name == "good"
    assert capsys.readouterr() == ("", "")
    assert found.report()[0].output == "hello from a plugin\nand again\n"


def test_without_torch_a_cell_is_unavailable_not_broken(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found = Registry([entry("cell", module("plug_cell", "import torch\n"), CELLS), good(module)])
    with pytest.raises(PluginError, match=r"^cell 'cell': needs the \[train\] extra: pip install"):
        found.cell("cell")
    with pytest.raises(PluginError, match=r"needs the \[train\] extra"):
        found.cell("cell")
    states = {s.module: s for s in found.report(load=True)}
    assert states["plug_cell"].status == "unavailable"
    assert states["plug_good"].status == "loaded"


def test_cells(module: Any) -> None:
    source = IMPORT + "from suite.nn.cells.gru import GRU\n@hookimpl\ndef suite_cells(): return {'mine': GRU}\n"
    found = Registry([entry("mine", module("plug_mine", source), CELLS)])
    assert found.cell("mine").__name__ == "GRU"
    bad = IMPORT + "@hookimpl\ndef suite_cells(): return [1, 2]\n"
    found = Registry([entry("mine", module("plug_worse", bad), CELLS)])
    with pytest.raises(PluginError, match=r"cell 'mine': plug_worse .* is broken: TypeError"):
        found.cell("mine")


# --- names --------------------------------------------------------------------------------------------------


def test_a_name_of_two_plugins_is_refused_to_both(module: Any) -> None:
    rival = entry("good", module("plug_rival", TASK.format(summary="", names=["good"])), distribution="rival")
    third = entry("good", module("plug_third", TASK.format(summary="", names=["good"])), distribution="third")
    for entries in ([good(module), rival], [good(module), rival, third]):
        found = Registry([*entries, good(module, "better")])
        assert found.task_names() == ["better", "good"]
        with pytest.raises(PluginError, match=r"task 'good' is provided by plug_good \(other 1\.0\) and plug_rival"):
            found.task("good")
        assert found.summary(TASKS, "good").startswith("refused: two plugins have this name")
        assert found.task("better").name == "better"
        states = {s.module: s for s in found.report(load=True)}
        assert states["plug_good"].status == states["plug_rival"].status == "refused"
        assert "'good' is also provided by plug_rival (rival 1.0)" in states["plug_good"].error
    assert Registry([good(module), rival], disabled=["plug_rival"]).task("good").name == "good"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("rivals", [1, 2])
def test_the_suites_own_name_cannot_be_taken_over(module: Any, order: int, rivals: int) -> None:
    own = entry("good", module("plug_own", TASK.format(summary="Ours.", names=["good"])), distribution="sequence-suite")
    thieves = [
        entry(
            "good", module(f"plug_thief{i}", TASK.format(summary="Theirs.", names=["good"])), distribution=f"thief{i}"
        )
        for i in range(rivals)
    ]
    found = Registry([own, *thieves][::order])
    assert found.summary(TASKS, "good") == "Ours."
    assert found.task("good").name == "good"
    states = {s.module: s.status for s in found.report(load=True)}
    assert states["plug_own"] == "loaded"
    assert {states[f"plug_thief{i}"] for i in range(rivals)} == {"refused"}


@pytest.mark.parametrize("group", [TASKS, COMMANDS])
@pytest.mark.parametrize("name", sorted(RESERVED))
def test_the_suites_own_commands_are_not_to_be_had(module: Any, group: str, name: str) -> None:
    found = Registry([entry(name, module("plug_thief", TASK.format(summary="", names=[name])), group), good(module)])
    assert found.task_names() == ["good"]
    assert found.command_names() == []
    status = next(s for s in found.report() if s.module == "plug_thief")
    assert (status.status, status.error) == ("refused", f"{name!r} is a command of the suite itself; rename it")


def test_tasks_and_commands_share_their_names(module: Any) -> None:
    command = entry("good", module("plug_command", "x = 1\n"), COMMANDS, "rival")
    found = Registry([good(module), command])
    with pytest.raises(PluginError, match=r"provided by plug_command .* and plug_good"):
        found.task("good")
    with pytest.raises(PluginError, match=r"provided by plug_command .* and plug_good"):
        found.command("good", click.Group())
    cell = entry("good", module("plug_cell", "x = 1\n"), CELLS)
    assert Registry([good(module), cell]).task("good").name == "good"


def test_a_task_that_is_somebody_elses(module: Any) -> None:
    thief = entry("thief", module("plug_thief", TASK.format(summary="", names=["thief", "good"])), distribution="thief")
    found = Registry([good(module), thief])
    assert found.task("thief").name == "thief"
    assert found.task("good").name == "good"
    assert next(s for s in found.report() if s.module == "plug_thief").error == (
        "provides 'good' without an entry point of that name in suite.tasks, which belongs to plug_good (other 1.0); "
        "add one"
    )


# --- switched off -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["good", "plug_good", "my.dist", "My_Dist", "x, plug_good"])
def test_disabled(module: Any, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    source = module("plug_good", TASK.format(summary="", names=["good"]))
    monkeypatch.setenv("SUITE_DISABLE_PLUGINS", by)
    found = Registry([entry("good", source, distribution="my-dist"), good(module, "better")])
    assert found.task_names() == ["better"]
    with pytest.raises(UsageError, match=r"task 'good' of plug_good .* is disabled by SUITE_DISABLE_PLUGINS"):
        found.task("good")
    states = {s.module: s for s in found.report(load=True)}
    assert (states["plug_good"].status, states["plug_good"].error) == ("disabled", "by SUITE_DISABLE_PLUGINS")
    assert "plug_good" not in sys.modules


def test_disabled_in_the_environment_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUITE_DISABLE_PLUGINS", "suite_sentiment")
    done = subprocess.run([sys.executable, "-m", "suite", "tasks"], capture_output=True, text=True, check=True)
    assert "sentiment" not in done.stdout


# --- commands -----------------------------------------------------------------------------------------------


def test_a_command_adds_only_itself(module: Any) -> None:
    source = (
        IMPORT + "import click\n@hookimpl\ndef suite_commands(cli):\n"
        "    cli.add_command(click.Command('shout'))\n    cli.add_command(click.Command('extra'))\n"
    )
    found = Registry([entry("shout", module("plug_shout", source), COMMANDS)])
    group = click.Group()
    assert found.command("shout", group).name == "shout"
    assert list(group.commands) == ["shout"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("pass", "it added no command named 'shout'"),
        ("1 / 0", "ZeroDivisionError"),
        ("cli.add_command(click.Command('whisper'))", "it added no command named 'shout'"),
    ],
)
def test_a_broken_command(module: Any, body: str, reason: str) -> None:
    source = IMPORT + f"import click\n@hookimpl\ndef suite_commands(cli):\n    {body}\n"
    found = Registry([entry("shout", module("plug_shout", source), COMMANDS)])
    with pytest.raises(PluginError, match=f"^command 'shout': plug_shout .*{reason}"):
        found.command("shout", click.Group())


def test_a_command_that_does_not_load(module: Any) -> None:
    found = Registry([entry("shout", module("plug_shout", "raise ValueError('no')\n"), COMMANDS)])
    with pytest.raises(PluginError, match="is broken: ValueError: no"):
        found.command("shout", click.Group())


# --- plugin folders -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin folder that ``SUITE_PLUGIN_DIR`` names, and nothing loaded from it left behind."""
    place = tmp_path / "mine"
    place.mkdir()
    monkeypatch.setenv("SUITE_PLUGIN_DIR", str(place))
    yield place
    for name in [name for name in sys.modules if name.startswith("suite_plugin_")]:
        del sys.modules[name]


def test_a_file_in_a_plugin_folder_is_a_plugin(folder: Path) -> None:
    (folder / "word_count.py").write_text(TASK.format(summary="Counts words.", names=["word-count"]))
    (folder / "helper.py").write_text("raise SystemExit('nobody asked for this')\n")
    (folder / "notes.txt").write_text("not Python")
    before = set(sys.modules)
    found = Registry()
    assert {"word-count", "sentiment"} <= set(found.task_names())
    assert "helper" not in found.task_names()
    assert found.summary(TASKS, "word-count") == "Counts words."
    assert set(sys.modules) - before == set()  # listing imports nothing
    assert found.task("word-count").name == "word-count"
    (status,) = found.find("word_count.py")
    assert (status.status, status.distribution, status.version) == ("loaded", str(folder), "")


def test_two_folders_may_have_files_of_one_name_but_not_provide_one_name_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (folder / "mine.py").write_text(TASK.format(summary="", names=["mine"]))
    (other / "mine.py").write_text(
        IMPORT + "from suite.nn.cells.gru import GRU\n@hookimpl\ndef suite_cells(): return {'mine': GRU}\n"
    )
    monkeypatch.setenv("SUITE_PLUGIN_DIR", f"{folder}{os.pathsep}{other}")
    found = Registry()
    assert found.task("mine").name == "mine"
    assert found.cell("mine").__name__ == "GRU"
    (other / "mine.py").write_text(TASK.format(summary="", names=["mine"]))
    with pytest.raises(
        PluginError, match=r"task 'mine' is provided by .*mine\.py and .*mine\.py; uninstall one or set"
    ):
        Registry().task("mine")


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("broken.py", "def f(:\n", "SyntaxError in "),
        (
            "sentiment.py",
            TASK.format(summary="", names=["sentiment"]),
            "'sentiment' is also provided by suite_sentiment",
        ),
        ("odd.py", TASK.format(summary="", names=["other"]), "provides 'other' without an entry point of that name"),
    ],
)
def test_a_file_that_is_broken_is_named_and_the_rest_works(folder: Path, name: str, source: str, reason: str) -> None:
    (folder / name).write_text(source)
    (folder / "good.py").write_text(TASK.format(summary="", names=["good"]))
    found = Registry()
    (status,) = found.find(name)
    assert reason in found.load(status.module).error
    assert status.faulty
    assert found.task("good").name == "good"
    assert found.task("sentiment").summary.startswith("Sentiment of")


def test_a_folder_that_is_not_there_is_named(folder: Path) -> None:
    folder.rmdir()
    (status,) = [s for s in Registry().report(load=True) if s.module == str(folder)]
    assert (status.status, status.error.split("; ")[1]) == ("broken", "correct SUITE_PLUGIN_DIR or --plugin-dir")


# --- asking after one -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plug_good", "my-dist", "My_Dist", "good"])
def test_a_plugin_is_found_by_each_of_its_names(module: Any, name: str) -> None:
    mine = entry("good", module("plug_good", TASK.format(summary="", names=["good"])), distribution="my-dist")
    found = Registry([mine, good(module, "better")])
    assert [status.module for status in found.find(name)] == ["plug_good"]
    with pytest.raises(UsageError, match=r"^no plugin, task, cell or command named 'godo'; did you mean 'good'\?$"):
        found.find("godo")


def test_what_a_module_provides_and_whose_a_file_is(module: Any, tmp_path: Path) -> None:
    found = Registry([good(module), good(module, "better")])
    assert found.provides("plug_good") == {TASKS: {}, CELLS: {}, COMMANDS: {}}
    found.load("plug_good")
    assert list(found.provides("plug_good")[TASKS]) == ["good"]
    assert found.owner(str(tmp_path / "modules" / "plug_good.py")) == "plug_good (other 1.0)"
    assert found.owner(__file__) == ""
    assert registry().owner(str(Path(click.__file__))) == ""


# -- registering without a package -----------------------------------------------------------------------------


def test_a_cell_can_be_registered_in_a_process_and_replaced() -> None:
    from suite.nn.cells.gru import GRU

    class First(GRU):
        pass

    class Second(GRU):
        pass

    found = Registry()
    found.register_cell("mine", First)
    assert found.cell("mine") is First
    found.register_cell("mine", Second)
    assert found.cell("mine") is Second
    assert "mine" in found.cell_names()
    assert not any(status.faulty for status in found.report(load=True))


def test_a_task_can_be_registered_in_a_process() -> None:
    from suite.task import TextClassificationTask

    class Mood(TextClassificationTask):
        name = "mood"

    found = Registry()
    found.register_task(Mood)
    assert isinstance(found.task("mood"), Mood)
    with pytest.raises(PluginError, match="not a suite\\.Task"):
        found.register_task(dict)


@pytest.mark.parametrize(("name", "reason"), [("sentiment", "another name"), ("bench", "a command of the suite")])
def test_a_name_that_is_taken_is_refused(name: str, reason: str) -> None:
    from suite.task import TextClassificationTask

    taken = type("Taken", (TextClassificationTask,), {"name": name})
    found = Registry()
    with pytest.raises(PluginError, match=reason):
        found.register_task(taken)
    assert found.task("sentiment").name == "sentiment"
