"""Who may do what: keys and their scopes, and the log of who changed what."""
