"""A store behind a plain web server, for reading only. `store` is the store; the other modules serve it."""
