"""Everything that is stored, as values: what each document says, how it is named, and how it is read. Pure."""
