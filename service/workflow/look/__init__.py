"""Step 3, look: points sampled when a model is made, and the charts drawn from them when somebody asks."""
