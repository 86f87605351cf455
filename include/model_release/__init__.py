"""Retrain a model every night and release it so that `latest` can be trusted.

The package reads top to bottom, each module importing only from those above it: `errors`; `version`, `layout`;
`metadata`, `pointer`; `gate`; `spec`; `stores`; `release`; `client`; `dataset`, `training`, `evaluation`, `report`;
`tracking`; `serving`; `cli`, `airflow_glue`.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime tells its maker of each session that it opens

__version__ = "0.1.0"
