"""Transformers whose features of a row depend on the rows beside it."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .case import Bed, Plain

BED = Bed()
ROWS = ("check_rows", "check_batch_sizes")


@BED.add("the mean of the batch is taken away, not that of the fit", *ROWS)
class BatchCentred(Plain):
    def features(self, X):
        return X - X.mean(axis=0)


@BED.add("divides by the standard deviation of the batch", *ROWS)
class BatchStandardised(Plain):
    def learn(self, X):
        self.mean_ = X.mean(axis=0)

    def features(self, X):
        return (X - self.mean_) / (X.std(axis=0) + 1e-3)


@BED.add("divides by the greatest entry of the batch", *ROWS)
class BatchMaxScaled(Plain):
    def features(self, X):
        return X / max(np.abs(X).max(), 1e-3)


@BED.add("axis=1 forgotten: divides by the norm of the whole batch", *ROWS)
class BatchNormalised(Plain):
    def features(self, X):
        return X / (np.linalg.norm(X) + 1e-9)


@BED.add("a leak of a thousandth of the mean of the batch", *ROWS)
class LeakedMean(Plain):
    def features(self, X):
        return np.tanh(X) + 1e-3 * X.mean(axis=0)


@BED.add("ranks within the batch", *ROWS)
class Ranks(Plain):
    def features(self, X):
        return np.argsort(np.argsort(X, axis=0), axis=0) / len(X)


@BED.add("returns the rows in the order of their first column", *ROWS)
class SortedRows(Plain):
    def features(self, X):
        return np.sin(X[np.argsort(X[:, 0])])


@BED.add("cumulative sum over the rows instead of the columns", *ROWS)
class RunningSum(Plain):
    def features(self, X):
        return np.cumsum(X, axis=0)


@BED.add("differences to the previous row of the batch", *ROWS)
class Differences(Plain):
    def features(self, X):
        return np.diff(X, axis=0, prepend=X[:1])


@BED.add("np.unique drops rows that are there twice, and sorts the others", *ROWS, "check_width")
class UniqueRows(Plain):
    def features(self, X):
        return np.unique(X, axis=0)


@BED.add("rows outside what was seen are dropped", *ROWS, "check_width")
class OutliersDropped(Plain):
    def learn(self, X):
        self.limit_ = 0.9 * np.abs(X).max()

    def features(self, X):
        return X[np.abs(X).max(axis=1) <= self.limit_]


@BED.add("sine and cosine are stacked below each other: 2n rows", *ROWS, "check_width")
class StackedBelow(Plain):
    def features(self, X):
        return np.vstack([np.sin(X), np.cos(X)])


@BED.add("concatenate and reshape mix the features of different rows", *ROWS)
class ReshapedRows(Plain):
    def features(self, X):
        return np.concatenate([np.sin(X), np.cos(X)]).reshape(len(X), -1)


@BED.add("a transposed array reshaped back mixes rows and columns", *ROWS)
class TransposedRows(Plain):
    def features(self, X):
        return (2 * X.T).reshape(X.shape)


@BED.add("keepdims forgotten: the means of rows meet columns", "check_evaluates")
class KeepdimsForgotten(Plain):
    def features(self, X):
        return X - X.mean(axis=1)


@BED.add("a single row comes back as a vector", *ROWS, "check_width")
class Squeezed(Plain):
    def features(self, X):
        return np.squeeze(np.tanh(X))


@BED.add("a single row is read as a single column, and loses its mean", *ROWS)
class OneRowIsItsMean(Plain):
    def features(self, X):
        return X - X.mean() if len(X) == 1 else X.copy()


@BED.add("works in chunks of 8 and drops what does not fill one", *ROWS, "check_width")
class LastChunkDropped(Plain):
    def features(self, X):
        if len(X) < 8:
            return X**2
        return np.concatenate([X[i * 8 : i * 8 + 8] ** 2 for i in range(len(X) // 8)])


@BED.add("the last chunk is padded with zeros, and the padding comes back", *ROWS, "check_width")
class LastChunkPadded(Plain):
    def features(self, X):
        short = -len(X) % 8
        return np.cos(np.concatenate([X, np.zeros((short, X.shape[1]), X.dtype)]))


@BED.add("above 64 rows the last row of each chunk is that of the chunk before", *ROWS)
class ChunkBorder(Plain):
    def features(self, X):
        out = np.exp(-X)
        out[64::64] = out[63:-1:64]
        return out


@BED.add("centres each chunk of 16 rows by itself where there are several", *ROWS)
class ChunkCentred(Plain):
    def features(self, X):
        if len(X) <= 16:
            return X - X.mean()
        parts = [X[i : i + 16] for i in range(0, len(X), 16)]
        return np.concatenate([p - p.mean() for p in parts])


@BED.add("distances are scaled by the greatest of the batch", *ROWS)
class Similarities(Plain):
    def learn(self, X):
        self.centres_ = X[:4].copy()

    def features(self, X):
        gaps = np.linalg.norm(X[:, None] - self.centres_, axis=-1)
        return np.exp(-gaps / (gaps.max() + 1e-9))


@BED.add("values below -1 count as missing, and become the median of the batch", *ROWS)
class MedianFilled(Plain):
    def features(self, X):
        return np.where(X < -1.0, np.median(X, axis=0), X)


@BED.add("transform fits again, on the rows that it is given", *ROWS, "check_state")
class TransformRefits(Plain):
    def learn(self, X):
        self.mean_ = X.mean(axis=0)

    def transform(self, X):
        check_is_fitted(self)
        self.fit(X)
        return np.asarray(X) - self.mean_


@BED.add("codes are the positions among the values of the batch", *ROWS)
class BatchCodes(Plain):
    def features(self, X):
        codes = [np.unique(column, return_inverse=True)[1] for column in np.round(X).T]
        return np.stack(codes, axis=1).astype(X.dtype)


@BED.add("the rows of a batch are whitened by their own covariance", *ROWS)
class BatchWhitened(Plain):
    def features(self, X):
        cov = np.cov(X.T, ddof=0).reshape(X.shape[1], -1) + np.eye(X.shape[1])
        return X @ np.linalg.inv(np.linalg.cholesky(cov)).T.astype(X.dtype)
