"""Channels: each receives, normalises, sends and closes, in a folder or module of its own."""
