"""The composition root: ties channels, store, engine, desks and web together. Nothing imports it but the commands."""
