"""Looking for damage at every destination, and putting right what can be put right."""
