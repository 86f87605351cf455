"""Inputs that nobody meant, at every door of the package. `make fuzz` runs it long, a test runs it short."""
