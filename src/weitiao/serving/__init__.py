"""A finished run into a predictor, and the predictor into an HTTP server."""
