"""The page at `/` to try a model by hand and to correct it: plain HTML, CSS and JavaScript, nothing from elsewhere."""
