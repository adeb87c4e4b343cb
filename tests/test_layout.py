"""The order of the house: what may import what, how long files are, what is public."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import phimaps as pm
from phimaps.property import Property
from phimaps.spaces import Space

ROOT = Path(pm.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("*.py"))

LAYERS = [
    "errors",
    "config drawn interval page property",
    "witness cache",
    "proof spaces",
    "parameters rows ingest",
    "batches",
    "estimator",
    "map",
    "kernels",
    "theorem",
    "search",
    "rounded",
    "decide",
    "models maps",
    "theorems",
    "torch",
    "check cnn",
    "testing",
    "demo report theory",
    "__main__",
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer.split()}


def top(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(file: Path):
    package = ["phimaps", *file.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            full = [*base, *(node.module or "").split(".")] if node.module else base
            yield from [full[1:2]] if len(full) > 1 else [[a.name] for a in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("phimaps"):
            parts = (node.module or "").split(".")[1:2]
            yield from [parts] if parts else [[a.name] for a in node.names]
        elif isinstance(node, ast.Import):
            yield from [a.name.split(".")[1:2] for a in node.names if a.name.startswith("phimaps.")]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_down(file):
    here = top(file)
    if here == "__init__":
        return
    for name in imported(file):
        there = name[0]
        # Names such as `property` are imported from the package as modules.
        assert there in RANK, f"{there} has no layer"
        assert RANK[there] < RANK[here] or there == here, f"{here} may not import {there}"


@pytest.mark.parametrize("file", FILES + TESTS, ids=str)
def test_files_are_read_in_one_sitting(file):
    lines = file.read_text().splitlines()
    limit = 400 if file in FILES else 700
    assert len(lines) <= limit, "split it by subject"
    assert file.stem not in {"utils", "util", "helpers", "common", "misc"}


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_modules_say_what_they_are(file):
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree) or not tree.body, "a module begins with a sentence about it"


def modules():
    for info in pkgutil.walk_packages(pm.__path__, "phimaps."):
        # Above that, modules may need the optional extras.
        if RANK.get(info.name.split(".")[1], 99) <= RANK["torch"]:
            yield importlib.import_module(info.name)


MODULES = list(modules())


def public(kind: type):
    for module in MODULES:
        for name, value in vars(module).items():
            own = inspect.isclass(value) and value.__module__ == module.__name__
            if own and issubclass(value, kind) and not name.startswith("_"):
                yield value


def abstract(kind: type) -> bool:
    first = (kind.__doc__ or "").split("\n\n")[0]
    return "abstract" in first or first.rstrip().endswith("abstract.")


MAPS = sorted(set(public(pm.FeatureMap)), key=lambda k: k.__name__)
SPACES = sorted(set(public(Space)), key=lambda k: k.__name__)


@pytest.mark.parametrize("kind", MAPS + SPACES, ids=lambda k: k.__name__)
def test_classes_are_final_or_abstract(kind):
    final = getattr(kind, "__final__", False) and "__final__" in vars(kind)
    assert final != abstract(kind), "decorate it with typing.final, or say that it is abstract"
    if final:
        assert not kind.__subclasses__()


@pytest.mark.parametrize("kind", MAPS, ids=lambda k: k.__name__)
def test_maps_say_what_they_compute_and_show_it(kind):
    doc = inspect.cleandoc(kind.__doc__ or "")
    first = doc.split("\n\n")[0].replace("\n", " ")
    assert first.endswith(".")
    assert len(first) <= 160
    if abstract(kind):
        return
    assert "Examples\n--------\n>>> " in doc
    parameters = [p for p in kind._get_param_names() if p != "self"]
    section = doc.partition("Parameters\n----------")[2]
    assert all(name in section for name in parameters), "every parameter is documented"


@pytest.mark.parametrize(
    "kind",
    [k for k in MAPS if ".maps." in k.__module__ and not abstract(k)],
    ids=lambda k: k.__name__,
)
def test_every_map_is_public(kind):
    assert getattr(pm, kind.__name__, None) is kind
    assert kind.__name__ in sys.modules[kind.__module__].__all__


def test_spaces_properties_and_combinators_are_public():
    for kind in SPACES:
        if not abstract(kind):
            # `Product` is the map; the space of that name stays in its module.
            shown = pm.spaces.Product if kind.__name__ == "Product" else getattr(pm, kind.__name__)
            assert shown is kind
    for name, value in vars(pm.property).items():
        if isinstance(value, Property):
            shown = getattr(pm, name)
            assert shown is value or getattr(shown, "as_property", None) is value
    for name in ("Compose", "Concat", "Tensor", "Sum", "Scale", "On", "Assume"):
        assert getattr(pm, name) is getattr(pm.map, name)


def test_what_is_listed_exists():
    for module in MODULES:
        for name in getattr(module, "__all__", []):
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_the_package_itself_only_imports():
    tree = ast.parse((ROOT / "__init__.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            assert all(a.asname == a.name for a in node.names), "from .x import Name as Name"
        else:
            assert isinstance(node, ast.Expr | ast.Assign)


def test_importing_costs_little_beside_torch_and_scikit_learn():
    # Pandas, plotting and test libraries would show here; several runs, as machines are busy.
    code = (
        "import sys, time\n"
        "start = time.process_time()\n"
        "import torch, sklearn.base, sklearn.linear_model, sklearn.preprocessing\n"
        "middle, before = time.process_time(), set(sys.modules)\n"
        "import phimaps\n"
        "print((time.process_time() - middle) / (middle - start))\n"
        "heavy = {'pandas', 'polars', 'matplotlib', 'hypothesis', 'dask'}\n"
        "print(*heavy & (set(sys.modules) - before))"
    )
    best = 9.0
    for _ in range(4):
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT.parent,
        )
        part, heavy = run.stdout.split("\n")[:2]
        assert not heavy
        best = min(best, float(part))
        if best < 0.25:
            break
    assert best < 0.25, "a quarter of what they cost themselves"
