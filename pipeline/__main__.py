"""The entry point of ``callqa``, also as ``python -m pipeline``."""

import signal


def main() -> None:
    """Run ``pipeline.cli``; Ctrl-C during its imports ends the process without a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline.cli import main as run

    run()


if __name__ == "__main__":
    main()
