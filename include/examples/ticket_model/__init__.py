"""A team's own package: how urgent support tickets are told from others. An example."""
