"""What a service does once, however many processes it has, and the channel between these processes."""
