"""The engine's version.

It is raised with every change after which the same events may give other decisions or another state. Records say
which engine decided; only its own are replayed, and a newer one goes on from a snapshot that the older one left.
"""

ENGINE = 3
