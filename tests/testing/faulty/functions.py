"""Functions of tensors or arrays."""

import numpy as np
import torch

import phimaps as pm

from .case import BOX, LINE, Bed

BED = Bed()
FINITE, SAME = "check_finite", "check_numpy_torch"
WIDE = pm.Box([-1000.0] * 3, [1000.0] * 3)


@BED.add("softmax of the batch", "check_rows")
def softmax_over_rows(x):
    e = np.exp(x - x.max())
    return e / e.sum()


@BED.add("the logarithm of 0", FINITE, on=pm.NonNegative(3))
def log_of_zero(x):
    return np.log(x)


@BED.add("exp overflows on the domain", FINITE, on=WIDE)
def exp_overflows(x):
    return torch.exp(x)


@BED.add("exp in both parts of a softmax: inf / inf at large inputs", FINITE, on=WIDE)
def softmax_by_hand(x):
    e = torch.exp(x)
    return e / e.sum(-1, keepdim=True)


@BED.add("log(1 + exp(x)) by hand: infinite above 710", FINITE, on=WIDE)
def softplus_by_hand(x):
    return torch.log(1 + torch.exp(x))


@BED.add("x / |x| is 0 / 0 at the origin", FINITE)
def direction(x):
    return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)


@BED.add("sin(x) / x is 0 / 0 at x = 0", FINITE)
def sinc_by_hand(x):
    return torch.sin(x) / x


@BED.add("1 / (x - 1) at a point of the domain", FINITE, on=LINE)
def pole(x):
    return 1.0 / (x - 1.0)


@BED.add("a ratio of columns: 0 in the denominator", FINITE, on=pm.NonNegative(2))
def ratio(x):
    return x[:, :1] / x[:, 1:]


@BED.add("a power of a negative number is NaN", FINITE)
def root_of_negative(x):
    return np.power(x, 1.5)


@BED.add(
    "x² overflows in float32 on the domain",
    FINITE,
    "check_precision",
    on=pm.Box([-1e30] * 2, [1e30] * 2),
)
def square_of_large(x):
    return x**2 / (1.0 + x**2)


@BED.add("arrays are centred by the row's mean, tensors are not", SAME)
def two_paths(x):
    if isinstance(x, np.ndarray):
        return np.tanh(x - x.mean(axis=1, keepdims=True))
    return torch.tanh(x)


@BED.add("torch.std divides by n - 1, NumPy's by n", SAME)
def two_deviations(x):
    if isinstance(x, np.ndarray):
        return x / (1.0 + x.std(axis=1, keepdims=True))
    return x / (1.0 + x.std(dim=1, keepdim=True))


@BED.add("x @ W for arrays, x @ W.T for tensors", SAME)
def transposed_weights(x):
    w = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.25], [0.1, 0.0, 1.0]])
    if isinstance(x, np.ndarray):
        return x @ w.astype(x.dtype)
    return x @ torch.as_tensor(w).to(x).T


@BED.add("GELU exact for arrays, by tanh for tensors: off by 5e-4", SAME)
def two_gelus(x):
    if isinstance(x, np.ndarray):
        from scipy.special import erf

        return (0.5 * x * (1 + erf(x / np.sqrt(2)))).astype(x.dtype)
    return torch.nn.functional.gelu(x, approximate="tanh")


@BED.add("the features are written into zeros of float64, whatever came in", "check_dtype")
def filled_zeros(x):
    out = torch.zeros(x.shape, dtype=torch.float64)
    out[:] = torch.sin(x)
    return out


@BED.add("the argument is scaled in place", "check_input_untouched", on=BOX)
def scaled_in_place(x):
    x /= 2.0
    return np.cos(x)


CALLS = []


@BED.add(
    "a list at module level remembers the calls: every third differs",
    "check_deterministic",
    "check_memory",
    "check_rows",
)
def every_third_call(x):
    CALLS.append(0)
    return x + (1e-4 if len(CALLS) % 3 == 0 else 0.0)


@BED.add(
    "a mutable default argument keeps the mean of the first call",
    "check_deterministic",
    "check_memory",
    "check_rows",
)
def mutable_default(x, kept=[]):  # noqa: B006
    if not kept:
        kept.append(x.mean(axis=0))
    return x - kept[0]


@BED.add(
    "cancellation: 1 - cos x by hand loses half of the digits near 0",
    "check_precision",
    on=pm.Box([-1e-3] * 2, [1e-3] * 2),
)
def cancels(x):
    return (1.0 - torch.cos(x)) / x.abs().clamp_min(1e-30) ** 2


@BED.add(
    "the variance as E x² - (E x)² cancels: negative under the root, NaN",
    FINITE,
    "check_precision",
    on=pm.Box([999.0] * 4, [1001.0] * 4),
)
def deviation_by_hand(x):
    return torch.sqrt((x**2).mean(-1, keepdim=True) - x.mean(-1, keepdim=True) ** 2)


@BED.add("a tensor of one row gives a vector", "check_rows", "check_width")
def squeezed(x):
    return torch.tanh(x).squeeze()


@BED.add("the sum over all instead of over the row", "check_rows", "check_width")
def sum_over_all(x):
    return torch.sin(x).sum() * torch.ones_like(x)
