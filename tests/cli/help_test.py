"""Help of every command, and what a command line that is wrong is answered."""
from support import DONE, check, run_tests


def test_version(place):
    version = place.run("--version")
    check("--version prints one line", version.code == DONE and version.out.startswith("cairn 0."), version)


run_tests(globals())
