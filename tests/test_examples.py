"""The examples run as they stand, without a warning, and print what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

PROMISED = {
    "01_sklearn_pipeline.py": [
        r"log\(color_intensity / hue\)",
        r"13 columns .* errors",
        r"5 hand-built columns .* errors",
        r"compose__randomfourier__gamma = ",
    ],
    "02_torch_training.py": [
        r"affine__weight \(1, 16\) affine__bias \(16,\)",
        r"before, 0\.00\d+ after training",
        r"original ones by up to [1-9]",
        r"Lipschitz constant of the trained map: \(",
    ],
    "03_verdicts.py": [
        r"proved, by exact computation",
        r"refuted",
        r"features differ by 0\.0",
        r"nothing is negative: proved",
        r"injective: unknown",
        r"has three values",
        r"proved, assumed",
    ],
    "04_conv_features.py": [
        r"pixels x .* errors",
        r"a, pooled\s+0\.\d\d % errors",
        r"z: injective is proved",
        r"a = \(relu\(z\), relu\(-z\)\): injective is proved",
        r"\nrelu\(z\): injective is (unknown|refuted)",
    ],
    "05_your_own_map.py": [
        r"features: \(100, 3\)",
        r"gradient at 0: \[\[2\.0, 2\.0, 2\.0\]\]",
        r"Continuous: proved",
        r"Universal on .*: proved",
    ],
    "06_conv_certificates.py": [
        r"circular: 16384 singular values from 0\.\d+ to 2\.\d+",
        r"stride 1: norm in .* 0\.\d+ % wide",
        r"stride 2: norm in .* [01]\.\d+ % wide",
        r"paired filters is injective: proved",
        r"bias \+4\.0: injective is proved, 0 of 4",
        r"bias -4\.0: injective is refuted, 4 of 4",
    ],
    "07_calculus.py": [
        r"both signs: Continuous proved; Injective proved; Homeomorphism proved",
        r"relu of it: Continuous proved; Injective refuted",
        r"on Simplex\(3\): proved",
        r"on Sphere\(\[0, 0, 0\], 1\): refuted",
        r"injective, real arithmetic: proved",
        r"injective, float64 arithmetic: refuted",
        r"exact: True",
    ],
    "08_relu_features.py": [
        r" 2048 +0\.0[2-9]\d+ +0\.00[3-5]\d +0\.00[2-4]\d\n",
        r"64 pixels +[5-8]\.\d\d % errors",
        r"500 random ReLU features +[12]\.\d\d % errors",
        r"500 tangent features +[12]\.\d\d % errors",
        r"kept between 0\.7071 and 1\.0000 times",
        r"bias 0: universal on the circle is refuted",
        r"bias 1: universal on the circle is proved",
    ],
    "09_kernel_features.py": [
        r"exact: SVC with the RBF kernel +9\d\.\d %",
        r"RBF, 300 landmarks +[01]\.\d % +9[78]\.\d %",
        r"arc-cosine, 500 features +[012]\.\d %",
        r"RBF, error 5 %: \d+ by 'fourier' +[2-5]\.\d % +9\d",
        r"RBF, error 5 %: \d+ by 'nystrom' +[2-5]\.\d % +9\d",
        r"exact kernel ridge: R² 0\.3\d\d",
        r"'nystrom' for an error of 0.0001: R² 0\.3\d\d, predictions 0\.\d+ %",
    ],
    "10_network_features.py": [
        r"a name: bn\[post\]:c1@\(0,1\) of 512",
        r"pixels +9\.\d\d % errors",
        r"z of the first layer +9\.\d\d % errors",
        r"a of the first layer +[23]\.\d\d % errors",
        r"both, in one pass +[23]\.\d\d % errors",
        r"cache of 67108864 bytes: 1797 images computed of 1797",
        r"cache of +0 bytes: 23\d\d\d images computed of 1797",
        r"unchanged: True, in training mode: True, hooks: False",
        r"from a loader: \(1797, 512\) float32",
    ],
    "12_untrained_filters.py": [
        r"pixels +6\.\d\d % errors",
        r"32 random filters +0\.\d\d % errors",
        r"24 k-means filters +0\.\d\d % errors",
        r"256 k-means filters +1[01]\.\d % errors",
        r"The layer is Triangle @ Distances2d @ NormalizedConv2d",
        r"Continuous: proved\nInjective: refuted\n",
        r"two images that it merges differ by \[0\.\d+\]",
    ],
    "11_feature_maps_in_cnns.py": [
        r"a1    2      post +8 x 8 x 8 +0 ",
        r"pixels x   6\.\d % errors",
        r"z, pooled  6\.\d % errors",
        r"a, pooled  1\.\d % errors",
        r"silent on the digits \[3\], proved dead for all images \[3\]",
        r"silent on the digits \[0, 5, 6\], proved dead for all images \[5, 6\]",
    ],
    "14_collide.py": [
        r" 2 filters: collision: rms change 0\.4\d+, gap \d\.\de-1[4-6]; numerically",
        r" 4 filters: collision: rms change 0\.2\d+, gap \d\.\de-1[4-6]; numerically",
        r"\n 8 filters: no collision: .* proved: Relu @ Conv2d has 4065 active rows",
        r"\n16 filters: no collision: .* \(certified rank\)",
        r" 4 filters, inverted: one of several",
        r" 8 filters, inverted: the only image with these features: gap \d\.\de-1[4-6], off by",
    ],
    "13_explorer.py": [
        r"relu-1 +8 +0\.4\d+ +0\.8\d+ +0\.8\d+ +1 +1\n",
        r"relu-2 +10 +0\.6\d+ .* 0 +0\n",
        r"sees 10 x 10 pixels",
        r"the page, 0\.[3-6] MB in one file: .*phimaps-explorer\.html",
    ],
    "15_learned_maps.py": [
        r"digits: 9[34]\.\d% linear, 9(7\.[5-9]|[89]\.\d)% behind the CReLU chain",
        r"injective: proved, distances shrink to 0\.[78]\d\n",
        r"images are recovered up to \de-1[3-6]",
        r"spirals: 6\d\.\d% linear, (99|100)\.\d% behind the CReLU chain",
        r"behind a homeomorphism of the plane: 0\.500\n",
        r"behind a lift and a coupling: 0\.0\d\d\n",
    ],
    "16_readouts.py": [
        r"digits: 9[89]\.\d% right, (99|100)\.\d% of those above 80 %",
        r"sums 1\.000 at least",
        r"far out -\d+ without a readout, \d+\.\d\d with exp, which is > 0",
        r"matrices: [12]\d\d of 597 indefinite without a readout, 0 with the exponential",
        r"direction z / \|z\|: greatest error 0\.00\d\d,",
        r"angle \(cos t, sin t\): greatest error (1\.99\d\d|2\.0000), median 0\.00\d\d",
        r"Fourier on Box\(\[0\], \[1\]\): universal is proved",
        r"Fourier on Sphere\(\[0, 0\], 1\): universal is refuted",
        r"linear models of ten powers: refuted",
    ],
    "17_verdicts_about_universality.py": [
        r"a trained chain of layers: proved\n",
        r"measured, to 0\.0\d of what a constant misses",
        r"rows normalized by scikit-learn: refuted \(witness\)\n",
        r"are merged, verified: True\n",
        r"nearer to the body mass index than [34]\.\d\d\n",
        r"tells the two apart: False\n",
        r"written by hand: consistent at resolution 0\.0\d+ on Box\(\[18\], \[42\.2\]\)\n",
        r"one point in 334 is missed by more",
        r"a proof: unknown\n",
        r"a steep switch: inconclusive\n",
        r"a witness: None\n",
    ],
    "18_published_faults.py": [
        r"check_finite: A feature is (-inf|nan) at a point of the domain",
        r"level='a' and level='new' have the same features",
        r"2 and 5 are one beyond the range of the fit\n +check_injective: ",
        r"the batch norm's output comes rectified\n +check_affine: ",
        r"a picture's features depend on the others\n +check_rows: ",
        r"hour=0 and hour=23 have the same|feature_engine (is not installed|cannot be imported)",
        r"kymatio: set_params\(J=2\) is without|kymatio (is not installed|cannot be imported)",
    ],
}


def test_every_example_is_tested():
    assert sorted(p.name for p in EXAMPLES.glob("*.py")) == sorted(PROMISED)


@pytest.mark.parametrize("name", PROMISED)
def test_example(name):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        timeout=120,
        # On a busy machine the threads of small matrix products wait for one another.
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    for promise in PROMISED[name]:
        assert re.search(promise, done.stdout), f"{promise}\nnot in\n{done.stdout}"
