"""Hand-built features of a table, inside a scikit-learn pipeline with a grid search.

Prints the names of the features, the error of the pipeline, and the best parameters.
"""

from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

import phimaps as pm

X, y = load_wine(return_X_y=True, as_frame=True)
folds = StratifiedKFold(5, shuffle=True, random_state=0)

# Concentrations are compared by ratios; logarithms turn ratios into differences. Declared ranges
# are checked when data are transformed, and what is proved of the map is proved on them.
built = pm.Columns(
    "alcohol",
    "log(proline)",
    "log(flavanoids)",
    "log(color_intensity / hue)",
    "alcalinity_of_ash / ash",
    proline=(1, None),
    flavanoids=(0.01, None),
    color_intensity=(0.01, None),
    hue=(0.01, None),
    ash=(0.1, None),
)
phi = pm.Standardize() @ built

# Data frames go in, and with set_output they come out; every column says what it is.
frame = phi.set_output(transform="pandas").fit_transform(X)
print("features:", *frame.columns, sep="\n  ")

raw = make_pipeline(pm.Standardize(), LogisticRegression())
ours = make_pipeline(phi, LogisticRegression())
for name, pipeline in (("13 columns", raw), ("5 hand-built columns", ours)):
    error = 1 - cross_val_score(pipeline, X, y, cv=folds).mean()
    print(f"{name:<22} {100 * error:.2f} % errors")

# The parts of a map are reached by nested names, like the steps of a pipeline. (The best error of
# a search is a little optimistic.)
random = pm.RandomFourier(n_components=100, gamma="scale") @ phi
search = GridSearchCV(
    make_pipeline(random, LogisticRegression(max_iter=1000)),
    {
        "compose__randomfourier__gamma": [0.01, 0.1, 1.0],
        "logisticregression__C": [1.0, 100.0],
    },
    cv=folds,
).fit(X, y)
print(f"random Fourier features of them: {100 * (1 - search.best_score_):.2f} % errors with")
for name, value in search.best_params_.items():
    print(f"  {name} = {value}")
