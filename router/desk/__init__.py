"""The desk: what an agent sees and can do, apart from any rendering.

The web desk and the Slack desk render the same views and send the same actions. The desk reads the engine's state
and knows nothing else of the engine.
"""
