"""Step 3, look: charts, rendered on request from points that are sampled when a model is trained."""
