"""The engine of usherd and the process around it."""
