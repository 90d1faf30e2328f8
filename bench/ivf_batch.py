"""An inverted file against those and the graph of FAISS, many queries at once on all threads: queries a second at equal recall.
Run by `make bench-ivf-batch`; ivf_cases.py tells of the data and of how settings are chosen."""
from ivf_cases import main

main("ivf-batch", single=False)
