"""A prepared recipe into a finished run: fits, what they leave, and the report."""
