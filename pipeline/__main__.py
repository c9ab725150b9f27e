"""``python -m pipeline`` is ``callqa``."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
