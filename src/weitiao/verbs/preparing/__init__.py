"""What every verb does first: a recipe, its rows and its model read and checked, before any weights are opened."""
