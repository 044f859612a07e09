"""The HTTP API, the web desk and what else a browser sees."""
