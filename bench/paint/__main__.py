"""`python bench/paint --help`. See `measure.py` for what it measures."""

import sys
from importlib import import_module
from pathlib import Path

# Python adds a script's own folder to sys.path first; imports here start at the top of the project.
sys.path[0] = str(Path(__file__).resolve().parents[2])
import_module("bench.paint.measure").main()
