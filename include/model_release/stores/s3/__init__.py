"""Amazon S3 and what speaks its protocol. `store` is the store; the other modules serve it."""
