#!/usr/bin/env python
"""Start one command; ``vigil`` does the same from anywhere."""

from config.command_line import main

if __name__ == "__main__":
    main()
