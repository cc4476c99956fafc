"""Corrections of a served model's answers: kept in a database, counted, exported as training rows."""
