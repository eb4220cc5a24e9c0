"""Laws of the house that no single module can keep alone."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from suite.plugins import registry
from suite.plugins.entry_points import TASKS

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "suite").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))


def each(paths: Iterable[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """One test that checks every file and names all that fail, instead of one test a file."""

    def over_all(check: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            failures = []
            for path in paths:
                try:
                    check(path)
                except AssertionError as error:
                    failures.append(f"{name(path)}: {error}")
            assert not failures, "\n".join(failures)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return over_all


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def docstrings(module: ast.Module) -> set[ast.Constant]:
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(first.value)
    return found


def imports(module: ast.Module, *, everywhere: bool = False) -> Iterator[str]:
    """The modules imported when this one is, or (``everywhere``) in its functions too; never for types only."""
    waiting: list[ast.AST] = list(module.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not everywhere:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def modules(*arguments: str) -> set[str]:
    """The modules that a fresh process has loaded at the end of a program, or of ``suite ARGUMENTS``."""
    program = (
        "import sys\ntry:\n    from suite.cli import run\n    assert run(sys.argv[1:]) == 0\n"
        "finally:\n    print('LOADED', *sys.modules)"
    )
    command = [sys.executable, "-c", arguments[0]] if arguments[0].startswith("import ") else [
        sys.executable, "-c", program, *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


# --- the core and its tasks -----------------------------------------------------------------------------------


@each(CORE)
def test_the_core_never_asks_for_a_task_by_name(path: Path) -> None:
    """No string in the core's code equals a task's name; words that contain one are fine, and so are docstrings."""
    module = tree(path)
    tasks, passed_over = set(registry().task_names()), docstrings(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in passed_over:
            assert node.value not in tasks, f"line {node.lineno}: {node.value!r}"


@each([*CORE, *PLUGINS])
def test_nothing_stands_on_the_command_line(path: Path) -> None:
    """What the verbs are made of is imported by ``python -m suite`` alone."""
    if path.is_relative_to(ROOT / "suite" / "cli") or path == ROOT / "suite" / "__main__.py":
        return
    assert not [found for found in imports(tree(path), everywhere=True) if f"{found}.".startswith("suite.cli.")]


@each(CORE)
def test_the_core_imports_no_plugin(path: Path) -> None:
    plugins = {p.name for p in (ROOT / "plugins").iterdir() if p.is_dir()}
    assert not {found.partition(".")[0] for found in imports(tree(path), everywhere=True)} & plugins


@each(PLUGINS)
def test_plugins_import_nothing_of_each_other(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[0]
    for found in imports(tree(path), everywhere=True):
        package = found.partition(".")[0]
        assert package == own or not (ROOT / "plugins" / package).is_dir(), f"{name(path)} imports {found}"


# --- floors -----------------------------------------------------------------------------------------------------


def below_the_torch_line(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    if parts[1:3] in (("nn", "specs.py"), ("training", "specs.py"), ("augment", "specs.py")):
        return False
    if parts[1:] == ("checkpoint", "weights.py"):
        return True
    return parts[1] in ("nn", "training", "export", "augment") or parts[1:] == ("runtime", "torch.py") or draws(path)


def draws(path: Path) -> bool:
    """Modules that say of themselves: import this only where something is drawn."""
    return path.parent.name == "plotting" or path.stem.endswith("plot")


HEAVY = {"torch", "torchvision", "torchaudio", "accelerate", "safetensors", "onnx"}


@each(CORE)
def test_nothing_above_the_torch_line_imports_torch(path: Path) -> None:
    found = set(imports(tree(path)))
    if below_the_torch_line(path):
        assert not draws(path) or not {m.partition(".")[0] for m in found} & HEAVY
        return
    assert not {module.partition(".")[0] for module in found} & HEAVY
    below = {
        f"suite.{'.'.join(p.relative_to(ROOT / 'suite').with_suffix('').parts)}"
        for p in CORE
        if below_the_torch_line(p)
    } - {f"suite.{package}.__init__" for package in ("nn", "training", "export", "augment", "plotting")}
    for module in found:
        assert not any(module == b or module.startswith(f"{b}.") for b in below), f"{name(path)} imports {module}"


@each(CORE)
def test_what_draws_is_imported_when_something_is_drawn(path: Path) -> None:
    found = {module.partition(".")[0] for module in imports(tree(path))}
    assert not found & {"matplotlib", "tqdm"}
    if not draws(path):
        assert "PIL" not in found or path == ROOT / "suite" / "codecs" / "images.py", (
            "what is drawn is not what is read"
        )
        assert not [m for m in imports(tree(path)) if m.startswith("suite.plotting")]


def test_help_loads_no_task_and_nothing_heavy() -> None:
    loaded = modules("--help")
    assert not loaded & {
        "torch",
        "numpy",
        "onnxruntime",
        "tokenizers",
        "tqdm",
        "PIL",
        "matplotlib",
        "importlib.metadata",
    }
    assert not [module for module in loaded if module.startswith("suite_")]


@pytest.mark.parametrize("task", registry().task_names())
def test_a_task_loads_no_torch_and_no_other_task(task: str, tiny_checkpoint: Path) -> None:
    runs = [[task, "--help"], [task, "predict", "--help"], [task, "train", "--help"]]
    if task == "sentiment":
        runs.append([task, "predict", "--checkpoint", str(tiny_checkpoint), "a good day"])
    for arguments in runs:
        loaded = modules(*arguments)
        assert not loaded & {"torch", "matplotlib", "onnx", "safetensors"}, arguments
        others = {o.module for o in registry()._entry_points.values() if o.group == TASKS and o.name != task}
        assert not loaded & others, arguments


@pytest.mark.parametrize("module", sorted({o.module for o in registry()._entry_points.values() if o.group == TASKS}))
def test_importing_a_plugin_loads_no_torch(module: str) -> None:
    loaded = modules(f"import sys, {module}; print('LOADED', *sys.modules)")
    assert not loaded & {"torch", "matplotlib", "onnx", "safetensors"}


# --- nothing that could run what it reads ------------------------------------------------------------------------


@each([*CORE, *PLUGINS])
def test_nothing_that_is_read_can_run(path: Path) -> None:
    module = tree(path)
    assert not {m.partition(".")[0] for m in imports(module, everywhere=True)} & {"dill", "shelve", "marshal"}
    for node in ast.walk(module):
        # A pickle of somebody else's is read only by a reader that says itself which names there are.
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("pickle."):
            assert node.attr in ("Unpickler", "UnpicklingError"), f"{name(path)}:{node.lineno}"
        if isinstance(node, ast.ClassDef) and any("Unpickler" in ast.unparse(base) for base in node.bases):
            assert any(isinstance(f, ast.FunctionDef) and f.name == "find_class" for f in node.body)
        if isinstance(node, ast.ImportFrom):
            assert node.module != "pickle", f"{name(path)}:{node.lineno}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            where = f"{name(path)}:{node.lineno}: {called}"
            assert called != "pickle.Unpickler", where
            assert called not in ("eval", "exec", "compile", "__import__", "torch.save"), where
            assert not called.endswith((".extractall", ".extract")), where
            assert called != "os.system", where
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert keywords.get("shell") != "True", where
            # Of a published file of known digest, and arrays alone.
            published = name(path) == "suite/nn/layers/vision.py" and keywords.get("weights_only") == "True"
            assert called != "torch.load" or published, where
            if called.endswith("np.load"):
                assert keywords.get("allow_pickle") == "False", where


# --- words ------------------------------------------------------------------------------------------------------


@each([p for p in CORE if p.name != "__main__.py"])
def test_every_public_name_is_explained(path: Path) -> None:
    """Modules, classes, functions and methods; what a protocol or a base class explains need not be said again."""
    module = tree(path)
    assert ast.get_docstring(module), f"{name(path)} says nothing of itself"
    imported = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    for node in module.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        # A command says it in its help, a hook in the manual.
        commands = any(word in ast.unparse(d) for d in node.decorator_list for word in ("command", "group", "hookimpl"))
        assert ast.get_docstring(node) or commands, f"{name(path)}:{node.lineno}: {node.name}"
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    said = inspect.getdoc(inspect.getattr_static(getattr(imported, node.name), method.name))
                    contract = method.name in CONTRACTS
                    assert said or contract, f"{name(path)}:{method.lineno}: {node.name}.{method.name}"


#: Explained once, in the contract that a class keeps: Codec, Feeder, GraphRuntime, Cell, Model, click's groups.
CONTRACTS = {
    "files", "from_files", "feed", "flush", "pending", "encode", "incremental", "size", "graph", "initial", "forward",
    "state_shapes", "project", "recur", "scan", "step", "label", "task_names", "cell_names", "command_names",
    "list_commands", "get_command", "resolve_command", "format_commands", "shell_complete", "invoke", "read", "seek",
    "tell", "seekable", "readable", "member", "frombuf", "say", "run", "convert",
}  # fmt: skip


@each(sorted({*CORE, *PLUGINS, *(ROOT / "tests").rglob("*.py")}))
def test_no_comment_is_left_to_do(path: Path) -> None:
    reader = io.StringIO(path.read_text(encoding="utf-8")).readline
    words = ("TO" + "DO", "FIX" + "ME", "X" * 3)
    for token in tokenize.generate_tokens(reader):
        if token.type == tokenize.COMMENT:
            assert not any(word in token.string for word in words), f"{name(path)}:{token.start[0]}"


def test_every_test_folder_mirrors_the_source() -> None:
    """No __init__.py among tests, and no folder of tests without a folder of source."""
    tests = ROOT / "tests"
    assert not [p for p in tests.rglob("__init__.py") if "thirdparty" not in p.parts]  # strangers' packages are whole
    for folder in [p for p in tests.rglob("*") if p.is_dir() and p.name != "__pycache__"]:
        place = folder.relative_to(tests)
        if place.parts[0] in ("suite", "plugins"):
            assert (ROOT / place).is_dir(), f"tests/{place} mirrors nothing"
