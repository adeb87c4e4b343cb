"""Transformers of data frames."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

import phimaps as pm
from phimaps.testing.frames import Frame

from .case import Bed

BED = Bed()
ROWS, COLUMNS, UNTOUCHED = (
    ("check_rows", "check_batch_sizes"),
    "check_columns_by_name",
    "check_input_untouched",
)

SHOP = Frame({"amount": (0.5, 50.0), "weight": (1.0, 9.0), "hour": range(24)})
COLOURS = Frame({"colour": ["red", "green", "blue", "white"]})
MIXED = Frame({"amount": (0.5, 50.0), "colour": ["red", "green", "blue"]})
GAPS = Frame({"amount": (0.5, 50.0), "weight": (1.0, 9.0)}, missing=["amount"])


class OfFrame(TransformerMixin, BaseEstimator):
    """Remembers the columns; a map writes `learn` and `features`."""

    def learn(self, X):
        """What is remembered of the rows that it is fitted on."""

    def fit(self, X, y=None):
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.learn(X)
        return self

    def transform(self, X):
        return self.features(X)


@BED.add("columns are taken by their place although they have names", COLUMNS, on=SHOP)
class ByPlace(OfFrame):
    def features(self, X):
        values = X.to_numpy(dtype=float)
        return np.stack([values[:, 0] / values[:, 1], values[:, 2]], axis=1)


@BED.add(
    "the columns of the numbers are found at transform, in their order there", COLUMNS, on=SHOP
)
class ByType(OfFrame):
    def features(self, X):
        return X.select_dtypes("number").to_numpy(dtype=float) * [1.0, 2.0, 3.0]


@BED.add("the ratio is written into the frame of the caller", UNTOUCHED, on=SHOP)
class ColumnAdded(OfFrame):
    def features(self, X):
        X["ratio"] = X["amount"] / X["weight"]
        return X[["ratio", "hour"]].to_numpy(dtype=float)


@BED.add("fit converts a column in the frame of the caller", "check_fit_data_untouched", on=SHOP)
class ColumnConverted(OfFrame):
    def learn(self, X):
        X["hour"] = X["hour"].astype(float) / 24.0

    def features(self, X):
        return X[["hour"]].to_numpy(dtype=float) / 24.0


@BED.add("gaps are filled in the frame of the caller", UNTOUCHED, on=GAPS)
class GapsFilledInPlace(OfFrame):
    def learn(self, X):
        self.middle_ = float(np.nanmedian(X["amount"])) if X["amount"].notna().any() else 0.0

    def features(self, X):
        X.loc[X["amount"].isna(), "amount"] = self.middle_
        return X.to_numpy(dtype=float)


@BED.add("rows with a gap are dropped: fewer features than rows", *ROWS, "check_width", on=GAPS)
class GapsDropped(OfFrame):
    def features(self, X):
        return np.log(X.dropna().to_numpy(dtype=float))


@BED.add("gaps are filled by the mean of the batch", *ROWS, on=GAPS)
class GapsFilledByBatch(OfFrame):
    def features(self, X):
        return X.fillna(X.mean()).fillna(0.0).to_numpy(dtype=float)


@BED.add(
    "gaps are filled by a value that is there as well: amount 0.5",
    "check_injective",
    on=GAPS,
    claims=(pm.Injective,),
)
class GapIsLeast(OfFrame):
    def features(self, X):
        return X[["amount", "weight"]].fillna(0.5).to_numpy(dtype=float)


@BED.add(
    "get_dummies at transform: the columns are those of the batch", *ROWS, "check_width", on=COLOURS
)
class DummiesOfBatch(OfFrame):
    def features(self, X):
        return pd.get_dummies(X).to_numpy(dtype=float)


@BED.add("factorize at transform: the codes are in the order of the batch", *ROWS, on=COLOURS)
class CodesOfBatch(OfFrame):
    def features(self, X):
        return pd.factorize(X["colour"])[0][:, None].astype(float)


@BED.add("categories are counted in the batch", *ROWS, on=MIXED)
class CountsOfBatch(OfFrame):
    def features(self, X):
        counts = X["colour"].map(X["colour"].value_counts()).to_numpy(dtype=float)
        return np.stack([X["amount"].to_numpy(), counts / len(X)], axis=1)


@BED.add(
    "the result is aligned by the index: shuffled frames get the rows of others",
    *ROWS,
    "check_columns_by_name",
    on=SHOP,
)
class AlignedByIndex(OfFrame):
    def features(self, X):
        logs = pd.Series(np.log(X["amount"].to_numpy()))
        return pd.DataFrame({"log": logs, "hour": X["hour"]}).fillna(0.0).to_numpy(dtype=float)


@BED.add("a group's mean is looked up at transform among the rows given", *ROWS, on=MIXED)
class GroupMeans(OfFrame):
    def features(self, X):
        means = X.groupby("colour")["amount"].transform("mean")
        return (X["amount"] - means).to_numpy(dtype=float)[:, None]


@BED.add("the difference to the row before", *ROWS, on=SHOP)
class Changes(OfFrame):
    def features(self, X):
        return X["amount"].diff().fillna(0.0).to_numpy(dtype=float)[:, None]


@BED.add(
    "an unseen category equals the first level, which is dropped",
    "check_injective",
    on=COLOURS,
    claims=(pm.Injective,),
    fit_on=lambda: pd.DataFrame({"colour": ["blue", "green", "red"] * 8}),
    build=lambda: OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False),
)
class UnseenIsFirst:
    pass


@BED.add(
    "all unseen categories have one code",
    "check_injective",
    on=COLOURS,
    claims=(pm.Injective,),
    fit_on=lambda: pd.DataFrame({"colour": ["green", "red"] * 8}),
    build=lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
)
class UnseenAreOne:
    pass


class TargetMeans(OfFrame):
    def fit(self, X, y=None):
        self.inner_ = TargetEncoder(target_type="continuous", smooth=0.0)
        self.inner_.fit(X, X["colour"].isin(["red", "white"]).astype(float))
        return super().fit(X)

    def features(self, X):
        return self.inner_.transform(X)


BED.add(
    "categories of one mean target have one code",
    "check_injective",
    on=COLOURS,
    claims=(pm.Injective,),
    name="TargetMeans",
)(TargetMeans)


@BED.add(
    "categories that are as frequent have one code",
    "check_injective",
    on=COLOURS,
    claims=(pm.Injective,),
    fit_on=lambda: pd.DataFrame({"colour": ["red", "green", "blue", "white", "red"]}),
)
class Frequencies(OfFrame):
    def learn(self, X):
        self.share_ = X["colour"].value_counts() / len(X)

    def features(self, X):
        return X["colour"].map(self.share_).to_numpy(dtype=float)[:, None]


@BED.add("four colours hashed to two places", "check_injective", on=COLOURS, claims=(pm.Injective,))
class Hashed(OfFrame):
    def features(self, X):
        places = X["colour"].map(lambda name: sum(map(ord, name)) % 2).to_numpy()
        return np.eye(2)[places.astype(int)]


@BED.add(
    "Python's hash of a text differs from process to process",
    "check_pickle",
    "check_other_process",
    on=COLOURS,
)
class HashOfProcess(OfFrame):
    def features(self, X):
        return X["colour"].map(lambda name: hash(name) % 1009 / 1009).to_numpy(dtype=float)[:, None]


@BED.add(
    "hours on a circle of period 23: the last is the first",
    "check_injective",
    on=SHOP,
    claims=(pm.Injective,),
)
class HoursOfFrame(OfFrame):
    def features(self, X):
        angle = 2 * np.pi * X["hour"].to_numpy() / 23
        kept = X[["amount", "weight"]].to_numpy(dtype=float)
        return np.column_stack([kept, np.sin(angle).round(9), np.cos(angle).round(9)])


@BED.add("the logarithm of hour 0", "check_finite", on=SHOP)
class LogOfHour(OfFrame):
    def features(self, X):
        return np.log(X[["amount", "hour"]].to_numpy(dtype=float))


@BED.add("the features are objects: numbers beside texts", "check_numbers", on=MIXED)
class ObjectFeatures(OfFrame):
    def features(self, X):
        return X.assign(colour=X["colour"].map({"red": 0, "green": 1, "blue": 2})).astype(object)


@BED.add("one name is missing", "check_names", on=SHOP)
class FrameNames(OfFrame):
    def features(self, X):
        return np.column_stack([X.to_numpy(dtype=float), X["amount"] / X["weight"]])

    def get_feature_names_out(self, input_features=None):
        return self.feature_names_in_


@BED.add("the ratio is named upside down twice: two features have one name", "check_names", on=SHOP)
class TwiceNamed(OfFrame):
    def features(self, X):
        return np.column_stack([X["amount"] / X["weight"], X["weight"] / X["amount"]])

    def get_feature_names_out(self, input_features=None):
        return np.array(["amount / weight", "amount / weight"], dtype=object)
