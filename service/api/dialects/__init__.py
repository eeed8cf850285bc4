"""The protocols of other servers, one per file: their clients only change the URL."""
