"""`python bench/attack --help`. What it measures is in `measure.py`."""

import sys
from importlib import import_module
from pathlib import Path

# A script's first place to import from is its own folder; ours is the top of the project.
sys.path[0] = str(Path(__file__).resolve().parents[2])
import_module("bench.attack.measure").main()
