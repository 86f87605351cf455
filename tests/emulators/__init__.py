"""Real servers that speak a cloud's language, each started by a test that needs it and ended with it."""
