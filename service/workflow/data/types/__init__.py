"""The types that columns can have: one file a type, one line in the table."""
