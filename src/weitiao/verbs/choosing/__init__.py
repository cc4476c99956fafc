"""Candidates for a recipe's model, looked at and put in order."""
