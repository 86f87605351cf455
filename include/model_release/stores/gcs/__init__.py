"""Google Cloud Storage. `store` is the store; the other modules serve it."""

import os

# Google's SDK reads the bucket's metadata for its traces, beside its first call and after each object that is missing.
# The roles that this project documents do not allow that request, and an audit log would show each as refused.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
