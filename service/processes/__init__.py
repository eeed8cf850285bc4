"""A service of several processes: the supervisor, and what each process does."""
