"""``python -m overpaint train|explain [key=value ...]``, ``python -m overpaint web [--port 8501]``."""

from overpaint.cli.main import main

if __name__ == "__main__":
    main()
