"""What a workspace says, checked and compiled for the engine; what a message is about, and in which language.

`workspace.load` reads the folder, `compile.compile_workspace` makes the engine's values of it, `coverage.check` looks
for holes in the skill matrix, `topics` and `language` classify texts. Nothing here is imported by importing the
package: a worker process that only classifies must not pay for YAML and pydantic.
"""
