"""Everything that is stored, as values: the documents, their names, and the one way to read them. Pure."""
