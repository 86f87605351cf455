"""Google Cloud Storage. `store` is the store; the other modules serve it."""
