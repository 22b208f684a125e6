"""``python -m overpaint train|explain [key=value ...]``."""

from overpaint.cli.main import main

if __name__ == "__main__":
    main()
