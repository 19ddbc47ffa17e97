"""python -m suanzi."""

from suanzi.cli import main

main()
