"""API keys with their scopes, and the audit log."""
