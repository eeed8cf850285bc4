"""The search of a sweep: a space of settings, and which of them to try next."""
