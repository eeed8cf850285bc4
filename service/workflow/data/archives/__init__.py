"""Data sets of files: a zip archive of images or videos, in folders or with a table."""
