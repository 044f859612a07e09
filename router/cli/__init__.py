"""The command line: one module per group of commands.

JSON goes to stdout, words and progress to stderr. Exit codes: 0 done, 1 the check failed, 2 usage or configuration.
"""

from __future__ import annotations

import sys

from router.core.errors import ConfigError, RouterError


def main() -> None:
    """The command `usherd`."""
    from router.cli import output
    from router.cli.commands import app
    from router.shell import log

    log.configure(level="warning")
    try:
        app(prog_name="usherd", standalone_mode=True)
    except ConfigError as error:
        output.fail(error)
        sys.exit(2)
    except RouterError as error:
        output.fail(error)
        sys.exit(1)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # whoever read our output has gone
            sys.stderr.close()
            sys.exit(1)
        where = f"{error.filename}: " if error.filename else ""
        output.fail(ConfigError(f"{where}{error.strerror or error}", hint="check the path and whose it is"))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
