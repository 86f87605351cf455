"""Commands that measure; run from the checkout with `make bench`, read by no other code."""
