"""Maps whose inner products are not those of the kernel that is claimed."""

import numpy as np

import phimaps as pm

from .case import BOX, PLANE, Bed, Plain

BED = Bed()
KERNEL = "check_kernel"
RBF = {"kernel": pm.kernels.RBF(gamma=0.5)}


class Waves(Plain):
    """sqrt(2/D) cos(w·x + b) for exp(-gamma |x - y|²); the faults are made in parts of it."""

    def __init__(self, gamma=0.5, n_components=2000, random_state=0):
        self.gamma = gamma
        self.n_components = n_components
        self.random_state = random_state

    def scale(self):
        return np.sqrt(2 * self.gamma)

    def learn(self, X):
        rng = np.random.default_rng(self.random_state)
        self.w_ = self.scale() * rng.normal(size=(X.shape[1], self.n_components))
        self.b_ = rng.uniform(0, 2 * np.pi, self.n_components)

    def features(self, X):
        waves = np.cos(X @ self.w_ + self.b_)
        return (np.sqrt(2 / self.n_components) * waves).astype(X.dtype)


@BED.add("the random phase is left out", KERNEL, claims=RBF)
class WavesWithoutPhase(Waves):
    def features(self, X):
        return (np.sqrt(2 / self.n_components) * np.cos(X @ self.w_)).astype(X.dtype)


@BED.add("1 / sqrt(D) for sqrt(2 / D)", KERNEL, claims=RBF)
class WavesHalved(Waves):
    def features(self, X):
        return (np.cos(X @ self.w_ + self.b_) / np.sqrt(self.n_components)).astype(X.dtype)


@BED.add("the frequencies have the scale sqrt(gamma) for sqrt(2 gamma)", KERNEL, claims=RBF)
class WavesTooWide(Waves):
    def scale(self):
        return np.sqrt(self.gamma)


@BED.add("gamma is read as sigma: frequencies of scale 1 / gamma", KERNEL, claims=RBF)
class WavesGammaForSigma(Waves):
    def scale(self):
        return 1 / self.gamma


@BED.add("gamma is a quarter too great", KERNEL, claims=RBF)
class WavesGammaOff(Waves):
    def scale(self):
        return np.sqrt(2 * 1.25 * self.gamma)


@BED.add("uniform frequencies for normal ones", KERNEL, claims=RBF)
class WavesUniform(Waves):
    def learn(self, X):
        super().learn(X)
        rng = np.random.default_rng(self.random_state)
        self.w_ = self.scale() * rng.uniform(-1, 1, size=self.w_.shape)


@BED.add("the phase is drawn from [0, 1): the factor 2π is forgotten", KERNEL, claims=RBF)
class WavesShortPhase(Waves):
    def learn(self, X):
        super().learn(X)
        self.b_ = self.b_ / (2 * np.pi)


@BED.add("one frequency is drawn for all coordinates: w·x becomes w sum(x)", KERNEL, claims=RBF)
class WavesOfSum(Waves):
    def learn(self, X):
        super().learn(X)
        self.w_ = np.repeat(self.w_[:1], X.shape[1], axis=0)


@BED.add(
    "the mixed terms of (x·y + 1)² lack their factor sqrt(2)",
    KERNEL,
    claims={"kernel": pm.kernels.PolynomialKernel(degree=2, gamma=1.0, coef0=1.0)},
)
class SquareWithoutRoots(Plain):
    def features(self, X):
        i, j = np.triu_indices(X.shape[1], 1)
        return np.hstack([np.ones((len(X), 1), X.dtype), np.sqrt(2) * X, X**2, X[:, i] * X[:, j]])


@BED.add(
    "the constant of (x·y + 1)² is left out",
    KERNEL,
    claims={"kernel": pm.kernels.PolynomialKernel(degree=2, gamma=1.0, coef0=1.0)},
)
class SquareWithoutConstant(Plain):
    def features(self, X):
        i, j = np.triu_indices(X.shape[1], 1)
        root = np.sqrt(2)
        return np.hstack([root * X, X**2, root * X[:, i] * X[:, j]])


@BED.add("landmarks without the inverse root of their matrix", KERNEL, on=PLANE, claims=RBF)
class LandmarksOnly(Plain):
    def learn(self, X):
        self.landmarks_ = X.copy()

    def features(self, X):
        gaps = ((X[:, None] - self.landmarks_) ** 2).sum(-1)
        return (np.exp(-0.5 * gaps) / np.sqrt(len(self.landmarks_))).astype(X.dtype)


@BED.add(
    "rows are scaled to norm 1 by columns",
    KERNEL,
    on=pm.Box([0.1] * 3, [2.0] * 3),
    claims={"kernel": pm.kernels.Cosine()},
)
class CosineByColumns(Plain):
    def learn(self, X):
        self.norms_ = np.linalg.norm(X, axis=0) / np.sqrt(len(X))

    def features(self, X):
        return X / self.norms_.astype(X.dtype)


@BED.add(
    "the square root of a histogram belongs to Bhattacharyya, not to the intersection",
    KERNEL,
    on=pm.Box([0.0] * 3, [1.0] * 3),
    claims={"kernel": pm.kernels.Intersection()},
)
class RootsForIntersection(Plain):
    def features(self, X):
        return np.sqrt(X)


@BED.add(
    "the linear kernel of standardised columns is not that of the columns",
    KERNEL,
    on=BOX,
    claims={"kernel": pm.kernels.Linear()},
)
class StandardisedLinear(Plain):
    def learn(self, X):
        self.scale_ = X.std(axis=0)

    def features(self, X):
        return X / self.scale_
