"""The program `blindbench`, and `python -m benchmark`."""

from benchmark.core import stop


def main() -> None:
    """Run the command line; a signal is heeded from the first import on."""
    stop.listen()
    from benchmark.cli.main import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
