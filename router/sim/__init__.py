"""Virtual time and made-up traffic around the very engine that runs live."""
