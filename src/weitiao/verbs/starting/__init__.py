"""A recipe to start from, and what to ask of the run that it makes."""
