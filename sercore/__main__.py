"""Let ``python -m sercore`` be the command."""

from sercore.cli import main

main()
