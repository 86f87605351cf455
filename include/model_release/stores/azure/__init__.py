"""Azure Blob Storage. `store` is the store; the other modules serve it."""
