"""What is done once for a service, however many processes answer for it, and how these processes talk."""
