"""Search through all rows for 1000 queries at once; flat_cases.py tells of the data. Run by `make bench-flat-batch`."""
from flat_cases import main

main("flat-batch", 1000, single=False)
