"""Releases of files that were made elsewhere: collecting, describing and publishing them."""
