"""What `weitiao data select` is made of: how unsure models are, how far they disagree, and which texts stand apart."""
