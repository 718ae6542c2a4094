"""The program `blindbench`, and `python -m benchmark`."""

import atexit
import gc

from benchmark.core import stop

# The last collection of garbage would go through all that torch has loaded, for up to a second.
atexit.register(gc.freeze)


def main() -> None:
    """Run the command line; a signal is heeded from the first import on."""
    stop.listen()
    from benchmark.cli.main import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
