"""An inverted file against those and the graph of FAISS, one query at a time on one thread each: queries a second at equal recall.
Run by `make bench-ivf-single`; ivf_cases.py tells of the data and of how settings are chosen."""
from ivf_cases import main

main("ivf-single", single=True)
