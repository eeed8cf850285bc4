"""How the services of an application are opened and closed."""
