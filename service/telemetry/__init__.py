"""What the service tells about itself. Imported by the edge and the composition root only."""
