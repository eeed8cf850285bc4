"""Attempts as processes of this machine, forked from a trainer server that has loaded what they need."""
