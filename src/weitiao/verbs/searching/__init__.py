"""The trials of a search, the processes that run them, and what is done with the winner."""
