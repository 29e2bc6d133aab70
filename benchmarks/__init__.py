"""How fast, as ratios in one run: `make bench`. Nothing here is a test or has a limit."""

import sys
from typing import get_args

from latentlab.arithmetic import Arithmetic, put_in_force

# What the pipeline computes with by default; a benchmark of another arithmetic names it.
put_in_force(next((name for name in get_args(Arithmetic) if name in sys.argv), "portable"))
