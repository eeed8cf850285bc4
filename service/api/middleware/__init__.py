"""What every request passes before its route: authorization, the audit log, metrics and traces."""
