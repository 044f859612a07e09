"""HTTP: the API, operations, and the web desk. Renders the desk model; knows neither engine nor store."""
