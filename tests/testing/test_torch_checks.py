"""Checks of precision, gradients, modules and devices: silent on sound maps, clear on others."""

import copy

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.kernel_approximation import Nystroem
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

import phimaps as pm
from phimaps.testing import CHECKS, Subject
from phimaps.testing.running import run
from phimaps.testing.trial import PROFILES

BOX = pm.Box([-2.0] * 3, [2.0] * 3)
IMAGES = pm.Images(1, 8, 8)
PRECISION = ("check_dtype", "check_precision", "check_real_precision")
GRADIENTS = (
    "check_gradient",
    "check_gradient_rows",
    "check_gradient_input",
    "check_numpy_torch",
)
MODULES = (
    "check_module_state",
    "check_eval_mode",
    "check_module_moves",
    "check_hooks",
    "check_pictures",
)
DEVICES = ("check_cuda", "check_threads")


def outcome(check, obj, domain=BOX, seed=0):
    return run(CHECKS[check], Subject(obj, domain), None, PROFILES["quick"], seed)


def seeded(build):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return build()


class Plain(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return self.features(np.asarray(X))


# --- sound ---------------------------------------------------------------------------------------
class Network(nn.Module):
    """With batch normalisation that has statistics, and dropout that is off."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Conv2d(4, 6, 3),
            nn.AdaptiveAvgPool2d(2),
        )
        nn.init.uniform_(self.body[1].running_mean)
        self.eval()

    def forward(self, x):
        x = x if x.is_floating_point() else x.to(self.body[0].weight) / 255
        return self.body(x).flatten(1)


class Waves(Plain):
    def features(self, X):
        W = np.random.default_rng(5).standard_normal((3, 8)).astype(X.dtype)
        return np.cos(40 * X @ W)


def norms(x):
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True) + x


def products(x):
    return torch.cumprod(x, dim=-1)


def matrices(x):
    a = torch.diag_embed(x) + 0.1 * torch.ones(3, 3).to(x)
    return torch.linalg.matrix_exp(a).flatten(1)


def steps(x):
    return torch.floor(5 * x)


def shrunk(x):
    return F.hardshrink(x, 1e-6)


def cut(x):
    # torch's own hardswish has a sixth of float32 on CUDA, in float64 too.
    return x * F.relu6(x + 1) / 6 + F.hardtanh(3 * x)


SOUND = {
    "map": (lambda: pm.Tanh() @ pm.Standardize(), BOX),
    "waves of a map": (lambda: pm.RandomFourier(16, gamma=30.0, random_state=0), BOX),
    "polynomial": (lambda: pm.Polynomial(5), pm.Box([-9.0] * 3, [9.0] * 3)),
    "Nyström": (lambda: pm.Nystrom(n_components=12, random_state=0), BOX),
    "network in float32": (lambda: seeded(Network), IMAGES),
    "network in float64": (lambda: seeded(Network).double(), IMAGES),
    "softplus": (lambda: nn.Softplus(), pm.Box([-500.0] * 3, [500.0] * 3)),
    "max-pooling": (lambda: nn.Sequential(nn.MaxPool2d(2), nn.Flatten()), IMAGES),
    "norms": (lambda: norms, BOX),
    "products": (lambda: products, BOX),
    "matrices": (lambda: matrices, BOX),
    "steps": (lambda: steps, BOX),
    "shrunk": (lambda: shrunk, BOX),
    "kinks": (lambda: cut, BOX),
    "logarithm": (lambda: torch.log, pm.Box([1e-9] * 3, [1.0] * 3)),
    "scikit-learn": (lambda: StandardScaler(), BOX),
    "ill-conditioned": (lambda: Nystroem(gamma=0.01, n_components=40, random_state=0), BOX),
    "arrays": (lambda: Waves(), BOX),
    "function of arrays": (lambda: lambda x: np.sort(x, axis=1), BOX),
}


@pytest.mark.parametrize("check", [*PRECISION, *GRADIENTS, *MODULES, *DEVICES])
@pytest.mark.parametrize("name", SOUND)
def test_sound_objects_pass(name, check):
    build, domain = SOUND[name]
    found = outcome(check, build(), domain)
    assert found.status in ("passed", "skipped"), found.message
    if found.status == "skipped":
        print(f"{check} of {name}: {found.message}")


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", ["kinks", "max-pooling", "waves of a map", "matrices", "norms"])
def test_kinks_and_waves_pass_whatever_is_drawn(name, seed):
    build, domain = SOUND[name]
    for check in ("check_gradient", "check_real_precision"):
        found = outcome(check, build(), domain, seed)
        assert found.status != "failed", found.message


RUN = [
    ("map", "check_gradient"),
    ("map", "check_dtype"),
    ("map", "check_numpy_torch"),
    ("network in float32", "check_precision"),
    ("network in float32", "check_pictures"),
    ("network in float32", "check_gradient"),
    ("network in float64", "check_real_precision"),
    ("kinks", "check_gradient"),
    ("steps", "check_gradient"),
    ("norms", "check_gradient_input"),
    ("network in float32", "check_hooks"),
    ("arrays", "check_real_precision"),
]


@pytest.mark.parametrize(("name", "check"), RUN)
def test_checks_are_run_where_they_can_be(name, check):
    build, domain = SOUND[name]
    assert outcome(check, build(), domain).status == "passed"


# --- faulty --------------------------------------------------------------------------------------
class Single(Plain):
    def features(self, X):
        return np.tanh(X.astype(np.float32)).astype(X.dtype)


class SingleInside(Plain):
    def features(self, X):
        return X + np.sin(X.astype(np.float32))


class Lost(Plain):
    def features(self, X):
        return np.tanh(X).astype(np.float32)


class Objects(Plain):
    def features(self, X):
        return np.tanh(X).astype(object)


class Half(nn.Module):
    def forward(self, x):
        return torch.sin(3 * x.half()).to(x.dtype)


class Brain(nn.Module):
    def forward(self, x):
        return torch.sin(3 * x).bfloat16().to(x.dtype)


class Refuses(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(3, 4)]

    def forward(self, x):
        return self.layers[0](x)


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sinh(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 1.01 * torch.cosh(x) * g


class WrongBeyond(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(-1.0, 1.0) + x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * torch.where(x.abs() < 1, 2.0, 0.0)


class TrainModes(nn.Sequential):
    def __init__(self, *layers):
        super().__init__(nn.Linear(3, 6), *layers)


class HookLeft(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 4)
        self.eval()

    def forward(self, x):
        self.net.register_forward_hook(lambda m, i, o: None)
        return self.net(x)


class ForgetsHooks(HookLeft):
    def forward(self, x):
        value = self.net(x)
        self.net._forward_hooks.clear()
        return value


class CallsItself(HookLeft):
    def __call__(self, x):
        return self.net(x)


class DropsAlways(HookLeft):
    def forward(self, x):
        return F.dropout(self.net(x), 0.2)


class Bytes(nn.Module):
    def forward(self, x):
        return torch.tanh(x.float()).flatten(1)


class Picky(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x):
        return self.norm(x).repeat(1, 2)


def other_std(x):
    return x / (1 + x.std(1, keepdims=True))


def branches(x):
    return torch.sin(x) if x.requires_grad else torch.sin(x) * 1.001


def flags(x):
    x.requires_grad_(True)
    return torch.sin(x)


FAULTY = {
    "float64 in float32": (
        lambda: Single(), BOX, "check_real_precision",
        "Features of float64 have only the digits of float32.", "astype(np.float32)",
    ),
    "a part in float32": (
        lambda: SingleInside(), BOX, "check_real_precision",
        "Features of float64 have only the digits of float32.", "rounds its values",
    ),
    "half inside": (
        lambda: Half(), BOX, "check_real_precision",
        "Features of float64 have only the digits of float16.", "half()",
    ),
    "bfloat16 at the end": (
        lambda: Brain(), BOX, "check_real_precision",
        "Features of float64 have only the digits of bfloat16.", "autocast",
    ),
    "dtype lost": (
        lambda: Lost(), BOX, "check_dtype",
        "Rows of float64 have features of float32.", "weights.astype(X.dtype)",
    ),
    "objects": (
        lambda: Objects(), BOX, "check_dtype",
        "Rows of float64 have features of dtype object.", "np.asarray(features, dtype=X.dtype)",
    ),
    "doubled": (
        lambda: lambda x: x * torch.ones(3, dtype=torch.float64), BOX, "check_dtype",
        "Rows of float32 have features of float64.", "weights.to(x)",
    ),
    "layers in a list": (
        lambda: seeded(Refuses), BOX, "check_module_moves",
        "The module does not take float64 rows, though it was turned to float64.",
        "nn.ModuleList",
    ),
    "layers in a list, dtype": (
        lambda: seeded(Refuses), BOX, "check_dtype",
        "Rows of float64 are refused.", "nn.ModuleList",
    ),
    "overflow in float32": (
        lambda: lambda x: x**2 / (1 + x**2), pm.Box([-1e30] * 2, [1e30] * 2), "check_precision",
        "In float32 a feature is not what float64 gives for the same row.", "scale first",
    ),
    "cancels in float32": (
        lambda: lambda x: (1 - torch.cos(x)) / x.abs().clamp_min(1e-30) ** 2,
        pm.Box([1e-5] * 2, [1e-4] * 2), "check_precision",
        "In float32 a feature is not what float64 gives for the same row.", "2 sin(x / 2)²",
    ),
    "another constant in float32": (
        lambda: lambda x: torch.sin(x) * (1.00001 if x.dtype == torch.float32 else 1.0),
        BOX, "check_precision",
        "In float32 a feature is not what float64 gives for the same row.", "one precision",
    ),
    "detached": (
        lambda: lambda x: torch.sin(x).detach() + 0 * x, BOX, "check_gradient",
        "No gradient flows back to the rows, though features depend on them.", "detach()",
    ),
    "half detached": (
        lambda: lambda x: x * x.detach(), BOX, "check_gradient",
        "The gradient is not the derivative of the features.", "detach() of a part",
    ),
    "straight through": (
        lambda: lambda x: x + (torch.round(x) - x).detach(), BOX, "check_gradient",
        "The gradient is not the derivative of the features.", "gradient of the identity",
    ),
    "a factor of 1.01": (
        lambda: Scaled.apply, BOX, "check_gradient",
        "The gradient is not the derivative of the features.", "backward functions",
    ),
    "wrong beyond a kink": (
        lambda: WrongBeyond.apply, BOX, "check_gradient",
        "The gradient is not the derivative of the features.", "backward functions",
    ),
    "NaN behind where": (
        lambda: lambda x: torch.where(x > 0, x.sqrt(), 0.25 * x), BOX, "check_gradient",
        "The gradient is NaN at a point where the features are finite.", "torch.where hides",
    ),
    "NaN at 0": (
        lambda: lambda x: (x**2).sum(-1, keepdim=True).sqrt(), BOX, "check_gradient",
        "The gradient is NaN at a point where the features are finite.", "small constant",
    ),
    "rows in each other": (
        lambda: lambda x: x - 1e-3 * x.mean(0), BOX, "check_gradient_rows",
        "The features of one row have a gradient with respect to another row.", "last axes",
    ),
    "in place": (
        lambda: nn.ReLU(inplace=True), BOX, "check_gradient_input",
        "A tensor that requires a gradient is refused.", "inplace=True",
    ),
    "a flag is set": (
        lambda: flags, BOX, "check_gradient_input",
        "A call alters the tensor that it is given.", "x.detach().clone()",
    ),
    "two values": (
        lambda: branches, BOX, "check_gradient_input",
        "A tensor with gradients has other features than the same rows otherwise.",
        "requires_grad",
    ),
    "two deviations": (
        lambda: other_std, BOX, "check_numpy_torch",
        "Arrays have other features than tensors of the same rows.", "std (n - 1 beside n)",
    ),
    "statistics move": (
        lambda: seeded(lambda: TrainModes(nn.BatchNorm1d(6))), BOX, "check_module_state",
        "A call of the module changes 1.running_mean.", "call eval()",
    ),
    "a hook is left": (
        lambda: seeded(HookLeft), BOX, "check_module_state",
        "A call of the module changes net.forward_hooks.", "finally",
    ),
    "eval forgotten, batch norm": (
        lambda: seeded(lambda: TrainModes(nn.BatchNorm1d(6))), BOX, "check_eval_mode",
        "The module is in train mode, where its features are other ones than in eval mode.",
        "call eval()",
    ),
    "eval forgotten, dropout": (
        lambda: seeded(lambda: TrainModes(nn.Dropout(0.3))), BOX, "check_eval_mode",
        "The module is in train mode, where its features are other ones than in eval mode.",
        "call eval()",
    ),
    "dropout left on": (
        lambda: seeded(DropsAlways), BOX, "check_eval_mode",
        "The module computes something else each time, in eval mode too.",
        "F.dropout(x, p, training=self.training)",
    ),
    "hooks forgotten": (
        lambda: seeded(ForgetsHooks), BOX, "check_hooks",
        "The second call fires other hooks than the first.", "handle.remove()",
    ),
    "hooks passed by": (
        lambda: seeded(CallsItself), BOX, "check_hooks",
        "A forward hook on the module does not fire once per call.", "leave __call__",
    ),
    "bytes unscaled": (
        lambda: Bytes(), IMAGES, "check_pictures",
        "Pictures of bytes have other features than the same pictures with floats in [0, 1].",
        "x.float() / 255",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_found_and_told(name):
    build, domain, check, what, do = FAULTY[name]
    found = outcome(check, build(), domain)
    assert found.status == "failed"
    assert found.error.what == what
    assert do in found.error.do
    assert found.error.got
    assert found.error.need


def test_a_module_in_train_mode_that_refuses_rows_is_told_to_call_eval():
    class Strict(Picky):
        def forward(self, x):
            if self.training:
                raise ValueError("not in train mode")
            return super().forward(x)

    found = outcome("check_eval_mode", seeded(Strict))
    assert found.error.what == (
        "The module is in train mode, and refuses what it takes in eval mode."
    )
    assert found.error.do == "call eval() on the module before its features are taken"


def test_threads_that_share_a_buffer_are_found():
    def counts(x):
        return np.sin(x) * (1 + 1e-6 * torch.get_num_threads())

    found = outcome("check_threads", counts)
    assert found.error.what == "With 4 threads a feature is another one than with one thread."


def test_numbers_of_threads_stay_as_they_were():
    before = torch.get_num_threads()
    assert outcome("check_threads", torch.sinh).status == "passed"
    assert torch.get_num_threads() == before


# --- what is left alone --------------------------------------------------------------------------
def test_the_module_of_the_user_stays_as_it_was():
    module = seeded(lambda: TrainModes(nn.BatchNorm1d(6), nn.Dropout(0.3)))
    fired = []
    module[0].register_forward_hook(lambda m, i, o: fired.append(0))
    kept = copy.deepcopy(module.state_dict())
    hooks = dict(module[0]._forward_hooks)
    for check in (*PRECISION, *GRADIENTS, *MODULES, *DEVICES):
        outcome(check, module)
    assert module.training
    assert all(p.dtype == torch.float32 and p.grad is None for p in module.parameters())
    assert all(torch.equal(module.state_dict()[k], v) for k, v in kept.items())
    assert dict(module[0]._forward_hooks) == hooks


def test_bytes_bind_no_transformer_and_nobody_who_refuses_them():
    found = outcome("check_pictures", Waves(), IMAGES)
    assert found.status == "skipped"
    assert found.message == "it is no map or module of images"
    refuses = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()).eval()
    assert outcome("check_pictures", refuses, IMAGES).status == "passed"
    signed = outcome("check_pictures", refuses, pm.Images(1, 8, 8, -1.0, 1.0))
    assert signed.message == "its pixels lie neither in [0, 1] nor in [0, 255]"
    assert outcome("check_pictures", Bytes(), pm.Images(1, 8, 8, 0.0, 255.0)).status == "passed"


def test_a_network_of_float32_inside_a_transformer_is_no_fault():
    class Wraps(Plain):
        def __init__(self, net=None):
            self.net = net

        def transform(self, X):
            with torch.no_grad():
                return self.net(torch.from_numpy(np.asarray(X, np.float32))).double().numpy()

    found = outcome("check_real_precision", Wraps(seeded(lambda: nn.Linear(3, 2).eval())))
    assert found.message == "it holds a network of float32, which computes in float32"


# --- devices -------------------------------------------------------------------------------------
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device on this machine")
def test_without_a_gpu_the_check_says_so():
    found = outcome("check_cuda", torch.sinh)
    assert found.status == "skipped"
    assert found.message == "there is no CUDA device on this machine"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_faults_on_cuda_are_told():
    class Stays(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.ones(3)

        def forward(self, x):
            return x * self.scale

    class Leaves(nn.Module):
        def forward(self, x):
            return torch.sin(x).cpu()

    class Differs(nn.Module):
        def forward(self, x):
            return torch.sin(x) * (1 + 1e-4 * x.is_cuda)

    assert outcome("check_cuda", Stays()).error.what == "Tensors on CUDA are refused."
    assert outcome("check_cuda", Leaves()).error.what == "Rows on CUDA have features on the CPU."
    assert outcome("check_cuda", Differs()).error.what == (
        "On CUDA a feature of float64 rows is another one than on the CPU."
    )
    assert outcome("check_cuda", seeded(Network), IMAGES).status == "passed"
