"""The order of the kernels: final or abstract, documented, public, with examples that run."""

import ast
import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch
from sklearn.base import clone

import phimaps as pm
from phimaps.kernels import Kernel

MODULES = [
    importlib.import_module(f"phimaps.kernels.{info.name}")
    for info in pkgutil.iter_modules(pm.kernels.__path__)
]
KINDS = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Kernel)
        and value.__module__ == module.__name__
    },
    key=lambda kind: kind.__name__,
)
FINAL = [kind for kind in KINDS if "abstract." not in (kind.__doc__ or "").split("\n\n")[0]]
ROWS = np.random.default_rng(0).uniform(0.1, 1.0, size=(6, 4))


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_classes_are_final_or_abstract(kind):
    final = getattr(kind, "__final__", False) and "__final__" in vars(kind)
    assert final == (kind in FINAL)
    if final:
        assert not kind.__subclasses__()


@pytest.mark.parametrize("kind", FINAL, ids=lambda k: k.__name__)
def test_kernels_say_what_they_compute(kind):
    doc = inspect.cleandoc(kind.__doc__ or "")
    first = doc.split("\n\n")[0].replace("\n", " ")
    assert first.startswith("k(x, y) = ")
    assert first.endswith(".")
    assert len(first) <= 160
    assert "Examples\n--------\n>>> " in doc
    section = doc.partition("Parameters\n----------")[2]
    assert all(name in section for name in kind._get_param_names())


@pytest.mark.parametrize("kind", FINAL, ids=lambda k: k.__name__)
def test_kernels_are_public(kind):
    assert getattr(pm.kernels, kind.__name__) is kind
    assert kind.__name__ in importlib.import_module(kind.__module__).__all__


def test_the_package_only_imports():
    tree = ast.parse(inspect.getsource(pm.kernels))
    for node in tree.body:
        assert isinstance(node, ast.ImportFrom | ast.Expr)
        if isinstance(node, ast.ImportFrom):
            assert all(a.asname == a.name for a in node.names)


@pytest.mark.parametrize("kind", FINAL, ids=lambda k: k.__name__)
def test_examples_take_rows_of_any_length(kind):
    kernel = kind.example()
    assert isinstance(kernel, kind)
    for width in (1, 2, 4):
        rows = ROWS[:, :width]
        value = kernel(rows)
        assert value.shape == (6, 6)
        assert np.isfinite(value).all()
        assert np.linalg.eigvalsh(value)[0] > -1e-13 * np.abs(value).max()
        assert torch.equal(
            kernel.diagonal(torch.from_numpy(rows)), torch.from_numpy(value).diagonal()
        )


@pytest.mark.parametrize("kind", FINAL, ids=lambda k: k.__name__)
def test_examples_are_copied_and_written_out(kind):
    kernel = kind.example()
    assert repr(clone(kernel)) == repr(kernel)
    assert kernel.bind(ROWS) is kernel
    assert kernel.closed
    assert kernel.get_params(deep=False).keys() == set(kind._get_param_names())
