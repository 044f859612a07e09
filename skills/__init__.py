"""Skills: the workspace as YAML, what it covers, and what a message is about."""
