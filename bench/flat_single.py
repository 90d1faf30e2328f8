"""Search through all rows for one query at a time; flat_cases.py tells of the data. Run by `make bench-flat-single`."""
from flat_cases import main

main("flat-single", 30, single=True)
