"""Every error says what happened, what it got, what it needed, what to do: word for word.

The texts stand in ``messages.txt``, in the order of the table below.
"""

import pickle
import re
from functools import wraps
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
import torch
from sklearn.gaussian_process import kernels as gp

import phimaps as pm
from phimaps.drawn import Drawn, _again, normal
from phimaps.estimator import Estimator

from .message_rows import (
    W,
    X,
    around,
    fitted,
    frame,
    holes,
    images,
    infinite,
    missing,
    sparse,
    sparse_nan,
    text,
    unit,
)
from .messages_of_attacks import TABLE as ATTACKS
from .messages_of_experiments import TABLE as EXPERIMENTS
from .messages_of_networks import TABLE as NETWORKS
from .messages_of_readouts import TABLE as READOUTS
from .messages_of_strategies import TABLE as STRATEGIES
from .messages_of_testing import TABLE as TESTING

TEXTS = Path(__file__).with_name("messages.txt")


def changed():
    weight = np.ones((3, 2))
    phi = pm.Affine(weight).fit(X)
    weight[0] = 7
    phi.fit(X)


def over_the_data():
    rows = X.copy()
    fitted().transform(rows, out=rows)


def redrawn():
    recipe, arguments, (shape, kept) = Drawn(normal, 3, 2, 0).__reduce__()[1]
    np.asarray(_again(recipe, arguments, (shape, 1 + kept)))


def unrouted():
    with sklearn.config_context(enable_metadata_routing=True):
        (pm.Tanh() @ pm.Standardize() @ pm.Abs()).fit(X, nonsense=1)


TABLE = {
    "wrong width": lambda: fitted().transform(X[:, :2]),
    "wrong width by call": lambda: fitted()(X[:, :2]),
    "wrong width of a tensor": lambda: fitted().transform(torch.ones(2, 2)),
    "wrong width of a closed map": lambda: pm.Affine(W)(torch.ones(2, 5)),
    "channels last": lambda: pm.Abs().fit(images).transform(np.zeros((2, 4, 5, 3))),
    "another image size": lambda: pm.Abs().fit(images).transform(np.zeros((2, 3, 4, 4))),
    "images after rows": lambda: pm.Abs().fit(np.zeros((2, 60))).transform(images),
    "transposed items": lambda: pm.Abs().fit(np.zeros((2, 3, 4))).transform(np.zeros((2, 4, 3))),
    "images to rows": lambda: pm.Standardize().fit(images),
    "NaN": lambda: pm.Tanh().fit(missing),
    "NaN in a frame": lambda: pm.Tanh().fit(pd.DataFrame(missing, columns=["a", "b", "c"])),
    "NaN in images": lambda: pm.Abs().fit(holes),
    "NaN in a tensor": lambda: pm.Tanh().fit(torch.from_numpy(missing)),
    "NaN in sparse rows": lambda: pm.Affine(W[:2]).fit(sparse_nan),
    "infinity": lambda: pm.Tanh().fit(infinite),
    "infinity in transform": lambda: fitted().transform(infinite),
    "too large for float64": lambda: pm.Tanh().fit([[1.0, 10**400]]),
    "no rows": lambda: pm.Tanh().fit(np.zeros((0, 3))),
    "no columns": lambda: pm.Tanh().fit(np.zeros((3, 0))),
    "empty tensor": lambda: pm.Tanh().fit(torch.zeros(0, 3)),
    "strings": lambda: pm.Tanh().fit([["a", "b"], ["c", "d"]]),
    "a string column": lambda: pm.Tanh().fit(pd.DataFrame(text)),
    "a polars string column": lambda: pm.Tanh().fit(pl.DataFrame(text)),
    "objects": lambda: pm.Tanh().fit(np.array([[object()]], dtype=object)),
    "ragged": lambda: pm.Tanh().fit([[1.0, 2.0], [3.0]]),
    "complex": lambda: pm.Tanh().fit(X + 1j),
    "complex tensor": lambda: pm.Tanh().fit(torch.ones(2, 2, dtype=torch.complex64)),
    "complex tensor by call": lambda: pm.Tanh()(torch.ones(2, 2, dtype=torch.complex64)),
    "1-D": lambda: pm.Tanh().fit(X[0]),
    "1-D tensor by call": lambda: pm.Tanh()(torch.ones(3)),
    "0-D": lambda: pm.Tanh().fit(3.0),
    "None": lambda: pm.Tanh().fit(None),
    "a dict": lambda: pm.Tanh().fit({"a": [1]}),
    "unknown column": lambda: pm.Select(["heigth"]).fit(frame),
    "unknown column of an array": lambda: pm.Select(["height"]).fit(X),
    "missing column": lambda: pm.Abs().fit(frame).transform(frame[["height", "width"]]),
    "reordered columns": lambda: pm.Abs().fit(frame).transform(frame[["width", "height", "depth"]]),
    "renamed column": lambda: (
        pm.Abs().fit(frame).transform(frame.rename(columns={"width": "widht"}))
    ),
    "sparse for a dense map": lambda: pm.Tanh().fit(sparse),
    "sparse for centring": lambda: (pm.Tanh() @ pm.Standardize()).fit(sparse),
    "negative": lambda: pm.Sqrt().fit(-X),
    "negative tensor": lambda: pm.Sqrt().fit(torch.from_numpy(-X)),
    "images for a map of rows": lambda: pm.Softmax()(images),
    "ends turned around": lambda: pm.Hardtanh(1, -1).fit(X),
    "outside the domain": lambda: pm.Log().fit(X),
    "outside the restriction": lambda: (
        pm.Identity().on(pm.Box([0, 0, 0], [5, 5, 5])).fit_transform(X)
    ),
    "unfitted transform": lambda: (pm.Tanh() @ pm.Standardize()).transform(X),
    "unfitted call": lambda: (pm.Tanh() @ pm.Standardize())(torch.ones(2, 3)),
    "unfitted names": lambda: pm.Standardize().get_feature_names_out(),
    "names without data": lambda: pm.Tanh().get_feature_names_out(),
    "wrong number of names": lambda: fitted().get_feature_names_out(["a"]),
    "other names": lambda: pm.Tanh().fit(frame).get_feature_names_out(["a", "b", "c"]),
    "decide on another shape than a part": lambda: pm.decide(
        pm.Affine(W) @ pm.Standardize(), pm.Injective, on=unit
    ),
    "weight not finite": lambda: pm.Affine([[np.nan]]).fit([[1.0]]),
    "weight of another dimension": lambda: pm.Affine(np.ones(100000)).fit(X),
    "weight of strings": lambda: pm.Affine([["a"] * 1000] * 3).fit(X),
    "weight complex": lambda: pm.Affine(W * 1j).fit(X),
    "weight empty": lambda: pm.Affine(np.zeros((0, 2))).fit(X),
    "bias of another length": lambda: pm.Affine(W, np.ones(3)).fit(X),
    "wrong type": lambda: pm.RandomFourier(n_components="many").fit(X),
    "wrong range": lambda: pm.RandomFourier(n_components=0).fit(X),
    "a huge parameter": lambda: pm.RandomFourier(gamma=[1.0] * 100000).fit(X),
    "a NaN parameter": lambda: pm.LeakyRelu(float("nan")).fit(X),
    "a boolean": lambda: pm.Standardize(with_mean="yes").fit(X),
    "factor": lambda: pm.Scale(np.inf, pm.Abs()).fit(X),
    "boolean factor": lambda: pm.Scale(True, pm.Abs()).fit(X),
    "no maps": lambda: pm.Compose(()).fit(X),
    "not maps": lambda: pm.Concat((pm.Abs(), X)).fit(X),
    "maps not in a tuple": lambda: pm.Compose(pm.Abs()).fit(X),
    "restriction without a space": lambda: pm.Abs().on([0, 1]),
    "restriction of another shape": lambda: pm.Affine(W).on(unit),
    "assumption that is none": lambda: pm.assume(pm.Abs(), "injective", because="so"),
    "assumption without a number": lambda: pm.assume(pm.Abs(), pm.Lipschitz, because="so"),
    "assumption without a map": lambda: pm.assume(X, pm.Injective, because="so"),
    "weights of rows": lambda: pm.Standardize().fit(X, sample_weight=[1, 2]),
    "changed array": lambda: changed(),
    "mismatched composition": lambda: pm.Affine(W) @ pm.Affine(W),
    "mismatch known after binding": lambda: (pm.Affine(W.T) @ pm.Standardize()).fit(X),
    "mismatch between bound parts": lambda: (
        pm.Standardize() @ pm.Affine(W.T) @ pm.Standardize()
    ).fit(X),
    "mismatched sum": lambda: pm.Affine(W) + pm.Affine(np.ones((3, 4))),
    "mismatched sum after binding": lambda: (pm.RandomFourier(4) + pm.Standardize()).fit(X),
    "mismatched concatenation": lambda: pm.Affine(W) & pm.Affine(W.T),
    "mismatched tensor product": lambda: pm.Affine(W) * pm.Affine(W.T),
    "mismatched product": lambda: pm.product(pm.Affine(W), pm.Abs(), widths=(2, -1)),
    "product of another width": lambda: pm.product(pm.Abs(), pm.Tanh(), widths=(2, 3)).fit(X),
    "product with wrong widths": lambda: pm.product(pm.Abs(), pm.Tanh(), widths=(2, 0)),
    "product of nothing": lambda: pm.product(),
    "product of images": lambda: pm.product(pm.Abs(), pm.Tanh(), widths=(2, 1)).fit(images),
    "pipe of nothing": lambda: pm.pipe(),
    "pipe of something else": lambda: pm.pipe(pm.Abs(), X),
    "operand": lambda: pm.Abs() @ X,
    "operand on the left": lambda: X * pm.Abs(),
    "pipe sign": lambda: pm.Abs() | pm.Tanh(),
    "unknown parameter": lambda: pm.LeakyRelu().set_params(slop=1),
    "unknown nested parameter": lambda: fitted().set_params(standardize__with_men=True),
    "unknown part": lambda: fitted().set_params(affine__weight=W),
    "parameter of a number": lambda: pm.LeakyRelu().set_params(slope__x=1),
    "fit parameter without routing": lambda: (pm.Tanh() @ pm.Standardize()).fit(
        X, sample_weight=np.ones(4)
    ),
    "fit parameter that nobody asked for": lambda: unrouted(),
    "names that collide": lambda: (
        pm.Concat((pm.Abs(), pm.Abs()), verbose_feature_names_out=False)
        .fit(X)
        .get_feature_names_out()
    ),
    "unknown setting": lambda: pm.set_config(chunks=3),
    "a kernel that is not stationary": lambda: pm.RandomFourier(kernel=pm.kernels.Linear()).fit(X),
    "a kernel and a gamma": lambda: pm.RandomFourier(
        kernel=pm.kernels.RBF(gamma=1.0), gamma=2.0
    ).fit(X),
    "structured single cosines": lambda: pm.RandomFourier(sampling="structured", paired=False).fit(
        X
    ),
    "a negative gamma": lambda: pm.RandomFourier(gamma=-1.0).fit(X),
    "more coordinates than Sobol has": lambda: pm.RandomFourier(sampling="qmc", gamma=1.0).fit(
        scipy.sparse.csr_array((2, 30_000))
    ),
    "a center of another width": lambda: pm.Fourier([[1.0]], center=[1.0, 2.0]).fit([[1.0]]),
    "structured arrays that do not fit": lambda: pm.HadamardFourier(
        [1.0], [[1.0], [1.0]], [1.0]
    ).fit([[1.0]]),
    "structured waves of another width": lambda: pm.HadamardFourier(
        [1.0], [[1.0], [1.0], [1.0]], [1.0]
    )(torch.ones(2, 3)),
    "an output of the wrong shape": lambda: fitted().transform(X, out=np.empty((4, 2))),
    "an output of the wrong kind": lambda: fitted().transform(X, out=[[0.0] * 3] * 4),
    "an output in columns": lambda: fitted().transform(X, out=np.empty((3, 4)).T),
    "an output over the data": over_the_data,
    "a draw that is not repeated": redrawn,
    "bad chunk size": lambda: pm.set_config(chunk_bytes=0),
    "bad device": lambda: pm.set_config(device="nowhere"),
    "bad progress": lambda: pm.set_config(progress=3),
    "box of another shape": lambda: pm.Box([0, 0], [1]),
    "box turned around": lambda: pm.Box([0, 2], [1, 1]),
    "box of strings": lambda: pm.Box(["a"], ["b"]),
    "box with NaN": lambda: pm.Box([np.nan] * 1000, [1] * 1000),
    "ball without radius": lambda: pm.Ball(np.zeros(1000), 0),
    "ball of strings": lambda: pm.Ball("a", 1),
    "dimension zero": lambda: pm.Euclidean(0),
    "dimension not whole": lambda: pm.NonNegative(2.5),
    "image sizes": lambda: pm.Images(1, 0, 3),
    "pixel range": lambda: pm.Images(1, 2, 3, 1, 0),
    "no members": lambda: pm.Finite([]),
    "product of spaces of images": lambda: pm.spaces.Product((pm.Images(1, 2, 2),)),
    "points of another shape": lambda: unit.contains(X),
    "box closed at some side": lambda: pm.Box([0], [1], closed="upper"),
    "open box without points": lambda: pm.Box([0, 2], [1, 2], closed="left"),
    "sphere of two points": lambda: pm.Sphere([0], 1),
    "sphere without radius": lambda: pm.Sphere(np.zeros((2, 2)), -1),
    "sphere with another metric": lambda: pm.Sphere([0, 0], 1, metric="angle"),
    "simplex of one coordinate": lambda: pm.Simplex(1),
    "basis of numbers": lambda: pm.Subspace([1.0, 2.0]),
    "dependent basis": lambda: pm.Subspace([[1.0, 2.0], [2.0, 4.0]]),
    "offset of another length": lambda: pm.Subspace([[1.0, 2.0]], offset=[0.0]),
    "parameters in another space": lambda: pm.Subspace([[1.0, 2.0]], within=pm.Ball([0], 1)),
    "no categories": lambda: pm.Categories(()),
    "a category twice": lambda: pm.Categories(["a", "b", "a"]),
    "distances of another shape": lambda: pm.Finite([[0.0], [1.0]], [1.0, 2.0]),
    "distances that depend on the order": lambda: pm.Finite([[0.0], [1.0]], [[0, 1], [2, 0]]),
    "distance to itself": lambda: pm.Finite([[0.0], [0.0]], [[0, 1], [1, 0]]),
    "distance zero": lambda: pm.Finite([[0.0], [1.0]], [[0, 0], [0, 0]]),
    "distances with a detour": lambda: pm.Finite(
        [[0.0], [1.0], [2.0]], [[0, 1, 3], [1, 0, 1], [3, 1, 0]]
    ),
    "distance of a stranger": lambda: pm.Categories(2).distance([[0.0], [0.5]], [[1.0], [1.0]]),
    "net of radius zero": lambda: unit.net(0),
    "net of an open interval": lambda: pm.Interval(0, 1, closed="left").net(0.1),
    "net of too many points": lambda: pm.Images(3, 32, 32).net(0.5),
    "net finer than numbers": lambda: pm.Interval(1, 2).net(1e-17),
    "decide without a map": lambda: pm.decide(X, pm.Injective, on=unit),
    "decide without a property": lambda: pm.decide(pm.Abs(), "injective", on=unit),
    "decide without a space": lambda: pm.decide(pm.Abs(), pm.Injective),
    "decide on something else": lambda: pm.decide(pm.Abs(), pm.Injective, on=[0, 1]),
    "decide on another shape": lambda: pm.decide(pm.Affine(W), pm.Injective, on=unit),
    "decide outside the domain": lambda: pm.decide(pm.Log(), pm.Injective, on=around),
    "a verdict as a truth value": lambda: bool(pm.decide(pm.Abs(), pm.Injective, on=around)),
    "a property as a truth value": lambda: bool(pm.Injective),
    "a contradiction": lambda: pm.decide(
        pm.assume(pm.Abs(), pm.Injective, because="so"), pm.Injective, on=around
    ),
    "splines of another width": lambda: pm.Spline([[0.0], [1.0]])(np.ones((2, 3))),
    "spline knots": lambda: pm.Spline([[0.0], [0.0]]).fit([[0.0]]),
    "outside the splines": lambda: pm.Spline([[0.0], [1.0]], extrapolation="error")([[2.0]]),
    "unsorted quantiles": lambda: pm.Quantile([[1.0], [0.0]]).fit([[0.0]]),
    "Box-Cox of 0": lambda: pm.BoxCox([2.0])([[0.0]]),
    "Box-Cox on a box": lambda: pm.decide(pm.BoxCox([2.0]), pm.Injective, on=around),
    "χ² features of a negative number": lambda: pm.AdditiveChi2()(torch.tensor([[1.0, -1.0]])),
    "bins out of order": lambda: pm.Bins(([1.0, 0.0],)).fit([[0.0]]),
    "an unknown category": lambda: pm.OneHot(([0.0, 1.0],))([[0.0], [2.0]]),
    "categories on a box": lambda: pm.decide(pm.Ordinal(([0.0, 1.0],)), pm.Injective, on=unit),
    "a dropped category that is none": lambda: pm.OneHot(([0.0, 1.0],), dropped=(2,)).fit([[0.0]]),
    "a range of degrees": lambda: pm.Polynomial((3, 2)).fit(X),
    "no monomials": lambda: pm.Polynomial(0, include_bias=False).fit(X),
    "no interactions": lambda: pm.Polynomial((4, 4), True, include_bias=False).fit(X),
    "a kernel that waits for data": lambda: pm.kernels.RBF()(X, X),
    "a law of an open kernel": lambda: pm.kernels.Laplacian().spectral(),
    "rows of two lengths for a kernel": lambda: pm.kernels.Linear()(X, X[:, :2]),
    "NaN for a kernel": lambda: pm.kernels.Linear()(missing),
    "no rows for a kernel": lambda: pm.kernels.Linear()(X[:0]),
    "a kernel of another width": lambda: pm.kernels.RBF(length_scale=[1.0, 2.0])(X),
    "a kernel of one period": lambda: pm.kernels.Periodic(period=[1.0])(X),
    "gamma 0": lambda: pm.kernels.RBF(gamma=0)(X),
    "gamma by an unknown name": lambda: pm.kernels.Matern(gamma="big")(X),
    "two scales": lambda: pm.kernels.RBF(gamma=1.0, length_scale=2.0)(X),
    "a negative length scale": lambda: pm.kernels.RBF(length_scale=[1.0, -2.0, 3.0])(X),
    "period 0": lambda: pm.kernels.Periodic(period=0.0)(X),
    "too smooth a Matérn": lambda: pm.kernels.Matern(nu=200.0)(X),
    "degree 0 of a kernel": lambda: pm.kernels.PolynomialKernel(degree=0)(X),
    "a negative constant in a kernel": lambda: pm.kernels.PolynomialKernel(coef0=-1.0)(X),
    "gamma of a polynomial kernel": lambda: pm.kernels.PolynomialKernel(gamma="median")(X),
    "neurons of order 3": lambda: pm.kernels.ArcCosine(order=3)(X),
    "negative bias of neurons": lambda: pm.kernels.NTK(bias=-1.0)(X),
    "negative numbers for a χ² kernel": lambda: pm.kernels.AdditiveChi2()(X - 1),
    "a χ² kernel between": lambda: pm.kernels.Intersection().between(
        torch.ones(1, 2), torch.tensor([[1.0, 2.0], [3.0, -0.5]])
    ),
    "a χ² kernel on a box": lambda: pm.decide(
        pm.kernels.Chi2(), pm.Universal, on=pm.Box([-1, 0], [1, 1])
    ),
    "sparse rows for a kernel": lambda: pm.kernels.Laplacian(gamma=1.0)(sparse),
    "a negative multiple": lambda: -1 * pm.kernels.Linear(),
    "a negative constant added": lambda: pm.kernels.Linear() + -1,
    "a difference of kernels": lambda: pm.kernels.RBF(gamma=1.0) - pm.kernels.Linear(),
    "a number minus a kernel": lambda: 1 - pm.kernels.RBF(gamma=1.0),
    "a kernel over 0": lambda: pm.kernels.Linear() / 0,
    "a kernel times a name": lambda: pm.kernels.Linear() * "rbf",
    "a kernel plus a map": lambda: pm.kernels.Linear() + pm.Abs(),
    "a root of a kernel": lambda: pm.kernels.RBF(gamma=1.0) ** 0.5,
    "a kernel of no map": lambda: pm.kernels.Linear() @ 3,
    "a sum of no kernels": lambda: pm.kernels.Sum(())(X),
    "a multiple of no kernel": lambda: pm.kernels.Scaled(2.0, "rbf")(X),
    "a pull-back along no map": lambda: pm.kernels.Pullback(pm.kernels.Linear(), np.abs)(X),
    "the sigmoid": lambda: pm.kernels.as_kernel("sigmoid"),
    "a precomputed kernel": lambda: pm.kernels.as_kernel("precomputed"),
    "an unknown kernel": lambda: pm.kernels.as_kernel("rbff"),
    "a parameter of another kernel": lambda: pm.kernels.as_kernel("rbf", degree=2),
    "a number as a kernel": lambda: pm.kernels.as_kernel(3),
    "a map as a kernel": lambda: pm.kernels.as_kernel(pm.Abs()),
    "several kernels as one": lambda: pm.kernels.as_kernel(gp.CompoundKernel([gp.RBF()])),
    "an indefinite pairwise kernel": lambda: pm.kernels.as_kernel(
        gp.PairwiseKernel(metric="additive_chi2")
    ),
    "a kernel that cannot be called": lambda: pm.kernels.Callable(3)(X),
    "a kernel of another shape": lambda: pm.kernels.Callable(lambda x, y: x)(X),
    "a kernel with NaN": lambda: pm.kernels.Callable(
        lambda x, y: np.full((len(x), len(y)), np.nan)
    )(X),
    "a kernel that is not symmetric": lambda: pm.kernels.Callable(lambda x, y: x @ y.T + x[:, :1])(
        X
    ),
    "a gradient through a kernel of arrays": lambda: pm.kernels.Callable(lambda x, y: x @ y.T)(
        torch.ones(2, 3, requires_grad=True)
    ),
    "a kernel that is not positive definite": lambda: pm.kernels.check_psd(
        np.array([[1.0, 2.0], [2.0, 1.0]])
    ),
}


RBF, Linear = pm.kernels.RBF, pm.kernels.Linear
error = pm.check.kernel_error


class Misshapen(pm.kernels.Kernel):
    def between(self, x, y):
        return x @ x.T

    def diagonal(self, x):
        return x


def by_few_pairs():
    with patch.object(pm.maps.kernel_features, "ALL_PAIRS_UP_TO", 3):
        RBF(gamma=0.1).features(64, error=0.001, on=X)


TABLE |= {
    "the error of no map": lambda: error(3, RBF(), on=X),
    "the error of a map without a kernel": lambda: error(pm.Abs(), on=X),
    "a fitted map and an open kernel": lambda: error(pm.Abs().fit(X), RBF(), on=X),
    "a norm without a name": lambda: error(pm.Abs(), Linear(), on=X, norm="l1"),
    "a confidence of 1": lambda: error(pm.Abs(), Linear(), on=X, confidence=1),
    "negative rows": lambda: error(pm.Abs(), Linear(), on=X, exact_rows=-1),
    "few pairs": lambda: error(pm.Abs(), Linear(), on=X, pairs=1),
    "a kernel matrix of another shape": lambda: pm.kernels.error.measure(
        pm.RandomFourier(4).bind(X), Misshapen(), np.zeros((1500, 3))
    ),
    "a diagonal of another shape": lambda: error(pm.Abs(), Misshapen(), on=X, exact_rows=0),
    "an unknown method": lambda: RBF().features(10, "waves"),
    "a method of another kernel": lambda: Linear().features(10, "fourier"),
    "no features": lambda: RBF().features(0),
    "exact features that do not fit": lambda: Linear().features(2, "exact").fit(X),
    "a sum of many kernels": lambda: (RBF() + Linear() + 1).features(2).fit(X),
    "additive features that do not fit": lambda: (
        pm.kernels.AdditiveChi2().features(2, "chi2").fit(X)
    ),
    "options for several maps": lambda: (RBF() + Linear()).features(9, sampling="iid"),
    "an error of 0": lambda: RBF().features(error=0, on=X),
    "a certain confidence": lambda: RBF().features(error=0.1, confidence=1.0, on=X),
    "an error on no data": lambda: RBF().features(error=0.1),
    "an error that no map reaches": lambda: RBF(gamma=0.1).features(4, error=0.001, on=X),
    "an error that no pairs can show": by_few_pairs,
}


def misled():
    model = pm.models.Ridge() @ pm.Identity()
    model.fit(X, X[:, 0]).partial_fit(X, X[:, :2])


ridge = pm.models.Ridge() @ pm.Identity()
K = pm.kernels.Linear()(X)

TABLE |= {
    "more landmarks than rows": lambda: pm.Nystrom().fit(X),
    "landmarks of one row": lambda: pm.Nystrom(n_components=2).fit(X[:1]),
    "a rule of landmarks": lambda: pm.Nystrom(landmarks="best").fit(X),
    "landmarks of another width": lambda: pm.Nystrom(landmarks=W.T[:, :2]).fit(X),
    "landmarks of images": lambda: pm.Nystrom(n_components=2).fit(images),
    "gamma 0 of Nystrom": lambda: pm.Nystrom(gamma=0.0, n_components=2).fit(X),
    "gamma beside a function": lambda: pm.Nystrom(np.inner, gamma=1.0, n_components=2).fit(X),
    "a parameter that its kernel does not have": lambda: pm.Nystrom(
        "linear", kernel_params={"scale": 2}, n_components=2
    ).fit(X),
    "a matrix that is not square": lambda: pm.Nystrom("precomputed", n_components=2).fit(X),
    "a matrix that is not symmetric": lambda: pm.Nystrom("precomputed", n_components=2).fit(
        K + np.arange(4.0)
    ),
    "a matrix of other rows": lambda: (
        pm.Nystrom("precomputed", n_components=2).fit(K).transform(K[:, :3])
    ),
    "a matrix without points": lambda: pm.Nystrom(
        "precomputed", landmarks="kmeans", n_components=2
    ).fit(K),
    "a function that is not positive definite": lambda: pm.Nystrom(
        lambda x, y: -float(x @ y), n_components=4
    ).fit(X),
    "an indefinite matrix": lambda: pm.Nystrom("precomputed", n_components=3).fit(
        np.diag([1.0, 1.0, -2.0])
    ),
    "negative numbers for Nystrom": lambda: pm.Nystrom("chi2", n_components=2).fit(X - 1),
    "a factor that is not triangular": lambda: pm.EmpiricalKernelMap(X[:2], np.ones((2, 2))).fit(X),
    "a factor of another shape": lambda: pm.EmpiricalKernelMap(X, np.eye(2)).fit(X),
    "a kernel map of another width": lambda: pm.EmpiricalKernelMap(X, np.eye(4))(torch.ones(2, 2)),
    "a batch of another width": lambda: pm.Standardize().partial_fit(X).partial_fit(X[:, :2]),
    "a negative penalty": lambda: (pm.models.Ridge(-1.0) @ pm.Identity()).fit(X, X[:, 0]),
    "more rows than targets": lambda: ridge.fit(X, X[:2, 0]),
    "weights of other rows": lambda: ridge.fit(X, X[:, 0], sample_weight=[1.0]),
    "NaN as a target": lambda: ridge.fit(X, missing[:, 1]),
    "targets unlike those before": misled,
    "numbers as labels": lambda: (pm.models.Ridge(task="classification") @ pm.Identity()).fit(
        X, X[:, 0] + 0.5
    ),
}

# Model classes.
TABLE |= {
    "a degree that is none": lambda: (pm.models.Polynomial(-1) @ pm.Identity()).fit(X, X[:, 0]),
    "a penalty of 0": lambda: (pm.models.KernelRidge(alpha=0.0) @ pm.Identity()).fit(X, X[:, 0]),
    "a step that is none": lambda: pm.models.Polynomials().ladder(0.5),
    "an activation that no network has": lambda: pm.models.MLP("elu").check_parameters(),
    "an activation that no random feature has": lambda: pm.decide(
        pm.models.RandomFeatureModel(activation="tanh"), pm.Universal, on=pm.Box([0.0], [1.0])
    ),
    "weights for neighbours": lambda: (pm.models.KNeighbors() @ pm.Identity()).fit(
        X, X[:, 0], sample_weight=np.ones(4)
    ),
}

# Sketches, projections, exact features.
TABLE |= {
    "a negative constant of a sketch": lambda: pm.TensorSketch(coef0=-1.0).fit(X),
    "gamma infinite for a sketch": lambda: pm.ProductSketch(gamma=np.inf).fit(X),
    "images for a sketch": lambda: pm.ProductSketch().fit(images),
    "another width for a sketch": lambda: pm.TensorSketch(n_components=3).bind(X)(torch.ones(2, 5)),
    "a negative constant of exact features": lambda: pm.ExplicitPolynomial(coef0=-1.0).fit(X),
    "too many exact features": lambda: pm.ExplicitPolynomial(40, max_bytes=10**5).fit(X),
    "coefficients too large": lambda: pm.ExplicitPolynomial(gamma=1e200).fit(X),
    "a kernel without a series": lambda: pm.RandomMaclaurin("rbf").fit(X),
    "more dimensions than there are": lambda: pm.GaussianProjection().fit(X),
    "a density above 1": lambda: pm.SparseProjection(2, density=1.5).fit(X),
    "a sparse matrix with infinity": lambda: pm.SparseLinear([[np.inf]]).fit([[1.0]]),
    "signs that are none": lambda: pm.SignedHadamard([1, 2], [0]).fit(X[:, :2]),
    "4 steps without a distance": lambda: pm.AdditiveChi2(sample_steps=4).fit(X),
    "χ² features of negative sparse rows": lambda: pm.AdditiveChi2().forward_sparse(-sparse),
    "a skewed kernel at its end": lambda: pm.SkewedChi2(1.0).fit(X - 1),
    "a skewed kernel of such rows": lambda: pm.kernels.SkewedChi2(1.0)(X - 1),
    "levels that are none": lambda: pm.PiecewiseLinearEmbedding(levels=[-1.0]).fit(X),
    "too many levels": lambda: pm.PiecewiseLinearEmbedding().fit(np.arange(1100.0)[:, None]),
    "no features of a kernel on levels": lambda: pm.PiecewiseLinearEmbedding(
        pm.kernels.Linear()
    ).fit(X),
    "points of no curve": lambda: pm.LinearInterpolation([0.0], [[1.0]]).fit(X),
}

# Random layers.
TABLE |= {
    "folded pairs of two layers": lambda: pm.RandomRelu(antithetic="folded", depth=2).fit(X),
    "folded pairs in too few features": lambda: pm.RandomRelu(3, antithetic="folded").fit(X),
    "images for a random layer": lambda: pm.RandomRelu().fit(images),
    "a negative bias of a random layer": lambda: pm.RandomRelu(bias=-1.0).fit(X),
    "images for tangent features": lambda: pm.RandomNtk().fit(images),
    "gates of two numbers": lambda: pm.Gated(np.ones((3, 1)), [0.0], W, np.zeros(2)).fit(X),
    "another width for gates": lambda: pm.Gated(W, np.zeros(2), W, np.zeros(2))(torch.ones(1, 2)),
    "a tilt that widens too far": lambda: pm.PositiveRandomFeatures(tilt=0.2).fit(X),
    "images for positive features": lambda: pm.PositiveRandomFeatures().fit(images),
    "bumps without heights": lambda: pm.Bumps(W, [0.0], np.zeros(3)).fit(X),
    "another width for bumps": lambda: pm.Bumps(W, np.zeros(2), np.zeros(3))(torch.ones(1, 2)),
}


def sections():
    parts = re.split(r"^## (.*)\n", TEXTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: text.rstrip("\n") for title, text in zip(parts[1::2], parts[2::2], strict=True)}


TABLE |= {
    "a map's property of a kernel": lambda: pm.decide(pm.kernels.RBF(), pm.Injective, on=around),
    "a kernel's property of a map": lambda: pm.decide(pm.Abs(), pm.Characteristic, on=around),
    "a kernel's property of a class": lambda: pm.decide(
        pm.models.Linear() @ pm.Abs(), pm.PositiveDefinite, on=around
    ),
    "a computed kernel": lambda: pm.decide(
        pm.kernels.RBF(), pm.Universal, on=around, arithmetic="float32"
    ),
}

TABLE |= NETWORKS
TABLE |= EXPERIMENTS
TABLE |= TESTING
TABLE |= STRATEGIES
TABLE |= READOUTS
TABLE |= ATTACKS


def raised(case):
    with pytest.raises(pm.errors.PhimapsError) as caught:
        TABLE[case]()
    return caught.value


def state(phi):
    """Everything that a map holds, its parts included, by identity."""
    parts = phi.get_params(deep=True)
    inside = [vars(p) for p in parts.values() if isinstance(p, pm.FeatureMap)]
    return [{k: id(v) for k, v in held.items()} for held in (vars(phi), *inside)]


@pytest.fixture
def watched(monkeypatch):
    """Every method that may refuse compares the map before and after."""

    def watch(name):
        original = getattr(Estimator, name)

        @wraps(original)
        def method(self, *args, **kwargs):
            before = state(self)
            try:
                return original(self, *args, **kwargs)
            except Exception:
                assert state(self) == before
                raise

        monkeypatch.setattr(Estimator, name, method)

    for name in ("_fit", "bind", "transform", "__call__", "set_params", "get_feature_names_out"):
        watch(name)


def test_the_table_and_the_texts_are_the_same_cases():
    assert list(sections()) == list(TABLE)
    assert len(TABLE) > 100


@pytest.mark.parametrize("case", TABLE)
def test_the_message_is_this_one(case, watched):
    arrays = [X, W, missing, infinite, images, holes, sparse.data, sparse_nan.data]
    before = [a.tobytes() for a in arrays]
    error = raised(case)
    assert f"{type(error).__name__}: {error}" == sections()[case]
    assert [a.tobytes() for a in arrays] == before
    assert frame.equals(pd.DataFrame(X, columns=["height", "width", "depth"]))


@pytest.mark.parametrize("case", TABLE)
def test_the_message_has_its_four_parts(case):
    error = raised(case)
    what, got, need, do = str(error).rsplit("\n", 3)
    assert got.startswith("  got:  ")
    assert need.startswith("  need: ")
    assert do.startswith("  do:   ")
    # scikit-learn's own checks read its lines about column names.
    assert "\n" not in what or what.startswith("The feature names should match")
    assert all(len(line) > 8 for line in (got, need, do))
    assert len(str(error)) < 700, "nobody reads more, and no array belongs in a message"
    assert isinstance(error, ValueError | TypeError | RuntimeError | AttributeError)


def test_errors_survive_other_processes():
    error = raised("wrong width")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.what, again.got, again.need, again.do) == (
        error.what,
        error.got,
        error.need,
        error.do,
    )
