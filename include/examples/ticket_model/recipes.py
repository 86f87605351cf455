"""The pipelines that the spec names: not fitted, and new in each call."""

from __future__ import annotations

from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ticket_model.wording import Wording


def linear(C: float = 1.0) -> Pipeline:  # noqa: N803 - scikit-learn's own name
    """Return a logistic regression behind the preparation."""
    return _prepared(LogisticRegression(C=C, max_iter=1000))


def boosted(num_leaves: int = 15) -> Pipeline:
    """Return LightGBM behind the preparation."""
    return _prepared(LGBMClassifier(n_estimators=40, num_leaves=num_leaves, min_child_samples=5))


def _prepared(estimator: BaseEstimator) -> Pipeline:
    columns = ColumnTransformer(
        [
            ("terms", TfidfVectorizer(max_features=200), "subject"),
            ("wording", Wording(), "subject"),
            ("plan", OneHotEncoder(handle_unknown="ignore"), ["plan"]),
            ("waited", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["waited_hours"]),
        ],
        sparse_threshold=0,
    )
    return Pipeline([("columns", columns), ("estimator", estimator)])
