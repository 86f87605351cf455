"""What a candidate may call its estimator: scikit-learn's own by name, any other by import path.

The names stand here, so that a spec is checked without an import of scikit-learn while DAG files are parsed.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from model_release.documents.suggest import did_you_mean

_MODULES = {
    "calibration": "CalibratedClassifierCV",
    "compose": "TransformedTargetRegressor",
    "cross_decomposition": "PLSRegression",
    "discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "dummy": "DummyClassifier DummyRegressor",
    "ensemble": """AdaBoostClassifier AdaBoostRegressor BaggingClassifier BaggingRegressor ExtraTreesClassifier
        ExtraTreesRegressor GradientBoostingClassifier GradientBoostingRegressor HistGradientBoostingClassifier
        HistGradientBoostingRegressor RandomForestClassifier RandomForestRegressor StackingClassifier StackingRegressor
        VotingClassifier VotingRegressor""",
    "gaussian_process": "GaussianProcessClassifier GaussianProcessRegressor",
    "isotonic": "IsotonicRegression",
    "kernel_ridge": "KernelRidge",
    "linear_model": """ARDRegression BayesianRidge ElasticNet ElasticNetCV GammaRegressor HuberRegressor Lars LarsCV
        Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC LinearRegression LogisticRegression LogisticRegressionCV
        OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV PassiveAggressiveClassifier PassiveAggressiveRegressor
        Perceptron PoissonRegressor QuantileRegressor RANSACRegressor Ridge RidgeCV RidgeClassifier RidgeClassifierCV
        SGDClassifier SGDRegressor TheilSenRegressor TweedieRegressor""",
    "model_selection": "FixedThresholdClassifier TunedThresholdClassifierCV",
    "multiclass": "OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier",
    "naive_bayes": "BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB",
    "neighbors": """KNeighborsClassifier KNeighborsRegressor NearestCentroid RadiusNeighborsClassifier
        RadiusNeighborsRegressor""",
    "neural_network": "MLPClassifier MLPRegressor",
    "semi_supervised": "LabelPropagation LabelSpreading SelfTrainingClassifier",
    "svm": "LinearSVC LinearSVR NuSVC NuSVR SVC SVR",
    "tree": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
}

NAMED = {name: f"sklearn.{module}.{name}" for module, names in _MODULES.items() for name in names.split()}
"""Import paths of scikit-learn's estimators of one target, by name."""

_IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def _known(name: str) -> str:
    if name not in NAMED and not _IMPORT_PATH.fullmatch(name):
        raise ValueError(
            f"scikit-learn has no such estimator{did_you_mean(name, NAMED)}; "
            "one of another package is named by its import path, such as lightgbm.LGBMClassifier"
        )
    return name


EstimatorName = Annotated[str, AfterValidator(_known)]
"""`RandomForestRegressor`, or `lightgbm.LGBMRegressor`."""


def import_path(name: str) -> str:
    """Return where an estimator is imported from."""
    return NAMED.get(name, name)
