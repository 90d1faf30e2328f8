"""Help, man pages and completion of every command, and what a command line that is wrong is answered."""
import os
import re
import shutil
import subprocess

from support import DONE, INPUT, USAGE, check, program, run_tests, skip

GROUPS = ("", "model", "recipe", "eval")
MAN = shutil.which("man")
MANDOC = shutil.which("mandoc")


def commands(place):
    """All names, that of cairn itself (empty) first."""
    return place.run("help", "--list").out.split("\n")[:-1]


def test_version(place):
    version = place.run("--version")
    check("--version is one line of name and number", version.code == DONE and version.err == ""
          and re.fullmatch(r"cairn \d+\.\d+\.\d+\n", version.out), version)


def test_help_of_every_command(place):
    names = commands(place)
    check("every command is listed once", len(names) == len(set(names)) > 15 and set(GROUPS) < set(names), names)
    for name in names:
        by_option, by_command = place.run(*name.split(), "--help"), place.run("help", *name.split())
        check(f"cairn {name} --help", by_option.code == DONE and by_option.err == ""
              and by_option.out.startswith(f"usage: cairn {name}".rstrip() + " "), by_option)
        check(f"cairn help {name}: the same", by_command == by_option, by_command)
        check(f"cairn {name} --help: 80 columns", max(map(len, by_option.out.splitlines())) <= 80,
              [line for line in by_option.out.splitlines() if len(line) > 80])
        check(f"cairn {name} --help: options of all commands are there", all(
            f"--{option}" in by_option.out for option in ("home", "quiet", "verbose", "help")), by_option.out)


def test_groups_list_their_commands(place):
    names = commands(place)
    for group in GROUPS:
        text = place.run(*group.split(), "--help").out
        below = [name for name in names if name and name.rpartition(" ")[0] == group]
        check(f"cairn {group} --help lists its commands", below and all(re.search(rf"^  {name} ", text, re.MULTILINE)
                                                                          for name in below), text)


def test_help_anywhere(place):
    wanted = place.run("help", "search").out
    for words in (("--help", "search"), ("search", "-h"), ("-h", "search"), ("search", "c", "--help"), ("search", "-qh"),
                  ("search", "--k", "5", "--help")):
        check(f"cairn {' '.join(words)}", place.run(*words).out == wanted)


def test_examples_of_the_help_are_commands(place):
    """Each example names a command and options that exist: its command line is only read, with --help."""
    for name in commands(place):
        lines = place.run(*name.split(), "--help").out.splitlines()
        examples = [line.split() for line in lines if re.match(r"  cairn (?!.*COMMAND)", line)]
        for words in examples:
            read = place.run(*words[1:], "--help")
            check(f"example: {' '.join(words)}", read.code == DONE, read)


# What is wrong, and what the message must hold.
WRONG = (
    ("", "a command is missing"),
    ("frobnicate", "unknown command 'frobnicate'"),
    ("serch", "did you mean 'search'?"),
    ("Search", "did you mean 'search'?"),
    ("rm", "did you mean 'remove'?"),
    ("model rm", "unknown command 'rm'"),
    ("model", "a command is missing"),
    ("model instal", "did you mean 'install'?"),
    ("recipe", "a command is missing"),
    ("recipe chekc", "did you mean 'check'?"),
    ("recipe show", "NAME|FILE is missing"),
    ("recipe show a b", "'b' is too much"),
    ("recipe list --format csv", "--format takes one of text, json"),
    ("eval oxford", "did you mean 'roxford'?"),
    ("help serch", "did you mean 'search'?"),
    ("help model instal", "did you mean 'model install'?"),
    ("help frobnicate", "'cairn help' lists the commands"),
    ("help search frobnicate", "no command 'search frobnicate'"),
    ("--frobnicate", "unknown option '--frobnicate'"),
    ("-x", "unknown option '-x'"),
    ("search c q --verfy 3", "did you mean '--verify'?"),
    ("search c q --verfy=3", "unknown option '--verfy'; did you mean '--verify'?"),
    ("search c q --min", "did you mean '--min-score'?"),
    ("add c p -z", "unknown option '-z'"),
    ("init", "DIR is missing"),
    ("init a b", "'b' is too much"),
    ("add c", "PATH is missing"),
    ("verify a.jpg", "B.jpg is missing"),
    ("verify a b c", "'c' is too much"),
    ("model list x", "'x' is too much"),
    ("model import a", "MODEL.onnx is missing"),
    ("search c", "IMAGE or --id is missing"),
    ("search c q --k", "-k needs a value: N"),
    ("search c q -k", "-k needs a value: N"),
    ("search c q --verify --k 3", "--verify needs a value"),
    ("search c q --k 0", "-k takes a whole number from 1 to"),
    ("search c q --k -3", "-k takes a whole number from 1 to"),
    ("search c q --k 1.5", "not '1.5'"),
    ("search c q --k 99999999999999999999", "not '99999999999999999999'"),
    ("search c q --min-score high", "--min-score takes a decimal number, not 'high'"),
    ("search c q --min-score nan", "not 'nan'"),
    ("search c q --boost 2000", "--boost takes a decimal number from 0 to 1000"),
    ("search c q --format xml", "--format takes one of text, json, csv, not 'xml'"),
    ("search c q --format jsno", "did you mean 'json'?"),
    ("search c q --order best", "--order takes one of fused, inliers"),
    ("search c q --threads 5000", "--threads takes a whole number from 0 to 1024"),
    ("search c q --quiet=yes", "--quiet takes no value, but 'yes' was given"),
    ("search c q --box 1,2,3", "--box takes four numbers x0,y0,x1,y1, not '1,2,3'"),
    ("search c q --box 1,2,3,4,5", "--box takes four numbers"),
    ("search c q --box 1,2,a,4", "--box takes four numbers"),
    ("search c q --box 5,5,5,9", "is empty"),
    ("search c q r --box 1,2,3,4", "--box belongs to one photograph"),
    ("search c --id 1 --box 1,2,3,4", "--box belongs to one photograph"),
    ("search c --id 0", "--id takes a whole number from 1"),
    ("search c --id one", "not 'one'"),
    ("add c p --label-from child", "--label-from takes parent, not 'child'"),
    ("add c p --batch 0", "--batch takes a whole number from 1"),
    ("init c --model none --local none", "nothing would be kept"),
    ("init c --model none --model x", "--model none cannot stand beside another"),
    ("init c --local none --local rootsift", "--local none cannot stand beside another"),
    ("init c --model none:2", "--model none takes no weight"),
    ("init c --model x:0", "the weight must be a decimal number above 0"),
    ("init c --model x:-1", "the weight must be a decimal number above 0"),
    ("model bench x --size 640", "--size takes WIDTHxHEIGHT"),
    ("model bench x --size 0x480", "--size takes WIDTHxHEIGHT"),
    ("model bench x --seconds 0", "--seconds takes a decimal number from 0.1"),
    ("model install nothing", "'nothing' is none of efficientnet-lite0"),
    ("model install xfeat sscd --package .", "--package belongs to one model"),
    ("model whiten x p --kind centre --dim 3", "--dim needs --kind pca, pcaw or lw"),
    ("model whiten x p --power 2", "--power takes a decimal number from 0 to 1"),
    ("model whiten x p --kind pca --power 0.5", "--power goes with --kind pcaw"),
    ("model whiten x p --unit --raw", "--unit and --raw exclude each other"),
    ("model whiten x p --kind lw", "it needs --pairs or --pairs-from"),
    ("model whiten x p --pairs-from parent", "--pairs-from need --kind lw"),
    ("model whiten x p --kind lw --pairs-from parent --pairs f.csv", "--pairs and --pairs-from exclude each other"),
    ("model whiten x p --kind lw --pairs-from child", "--pairs-from takes parent"),
    ("model whiten x p --kind lw --pairs f.csv", "there is no PATH beside it"),
    ("model whiten x --kind lw --pairs f.csv --seed 3", "--max-pairs and --seed go with --pairs-from"),
    ("model whiten x", "PATH is missing"),
    ("model whiten ./x p", "name the new model with --output"),
    ("help --completion tcsh", "--completion takes one of bash, zsh, fish"),
)


def test_wrong_command_lines(place):
    for line, message in WRONG:
        answer = place.run(*line.split())
        first, *rest = answer.err.splitlines() or [""]
        check(f"cairn {line}: {message}", answer.code == USAGE and answer.out == "" and first.startswith("cairn: ")
              and message in first and len(rest) == 2 and rest[0].startswith("usage: cairn "), answer)
    quiet = place.run("--quiet", "serch")
    check("one line with --quiet", quiet.code == USAGE and quiet.err.count("\n") == 1, quiet)


def test_the_usage_told_is_that_of_the_command(place):
    answer = place.run("model", "info")
    check("usage and help of the command that was meant", "usage: cairn model info NAME" in answer.err
          and "'cairn help model info' explains it" in answer.err, answer)
    answer = place.run("model", "inf")
    check("of a group, where its commands are listed", "'cairn help model' lists its commands" in answer.err, answer)


def test_empty_operand(place):
    check("an empty operand is refused", place.run("init", "").code == USAGE)


def test_ways_to_write_options(place):
    place.collection("c", place.photographs("p", 3))
    wanted = place.run("search", "c", "--id", 1, "--k", 1, "--format", "csv")
    check("one result", wanted.code == DONE and wanted.out.count("\n") == 2, wanted)
    for words in (("-k1",), ("-k", "1"), ("--k=1",), ("--k", "1")):
        answer = place.run("search", *words, "c", "--id=1", "--format=csv")
        check(f"search {' '.join(words)}: the same", answer == wanted, answer)
    place.photograph("--id", 1)
    answer = place.run("search", "c", "--format", "csv", "--", "--id")
    check("after -- all are operands", answer.code == DONE and answer.out.count("\n") == 4, answer)
    answer = place.run("info", "nothing", "--home=--quiet")
    check("a value may look like an option after =", answer.code == INPUT, answer)


def pages(place):
    for name in commands(place):
        yield "-".join(["cairn", *name.split()]), place.run("help", "--man", *name.split())


def test_man_pages(place):
    for name, page in pages(place):
        sections = re.findall(r"^\.SH (.*)$", page.out, re.MULTILINE)
        check(f"man {name}: its sections", page.code == DONE and page.err == "" and sections[:3] ==
              ["NAME", "SYNOPSIS", "DESCRIPTION"] and "EXIT STATUS" in sections and sections[-1] == "SEE ALSO", sections)
        path = place.write(f"{name}.1", page.out)
        if MANDOC:
            linted = subprocess.run([MANDOC, "-T", "lint", "-W", "warning", path], capture_output=True, text=True)
            check(f"mandoc -T lint {name}", linted.returncode == 0, linted.stdout)
        if MAN:
            shown = subprocess.run([MAN, "--warnings", "-l", path], capture_output=True, text=True, env={
                **place.environ(), "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"})
            check(f"man --warnings {name}", shown.returncode == 0 and shown.stderr == "" and "EXIT STATUS" in shown.stdout,
                  shown.stderr)
    if not MAN and not MANDOC:
        skip("man pages are shown without a warning", "neither man nor mandoc is here")


def test_man_pages_say_what_the_help_says(place):
    def options(text):
        return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r"\\f[BIR]", " ", text).replace("\\-", "-")))
    for name, page in pages(place):
        helped = place.run("help", *name.split("-")[1:] if name != "cairn" else []).out
        missing = options(helped) - options(page.out)
        check(f"man {name} names all options of the help", not missing, missing)


def completed(place, *words):
    """What the completion for bash offers for the last of `words`."""
    script = place.write("completion.bash", place.run("help", "--completion", "bash").out)
    quoted = " ".join(f"'{word}'" for word in words)
    lines = (f"source {script}", f"COMP_WORDS=({quoted})", f"COMP_CWORD={len(words) - 1}", "_cairn",
             'printf "%s\\n" "${COMPREPLY[@]}"')
    path = f"{os.path.dirname(program)}:{place.environment['PATH']}"
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, cwd=place.folder,
                          env=place.environ({"PATH": path}))
    return done.stdout.split(), done.stderr


COMPLETIONS = (
    (("cairn", "se"), {"search"}),
    (("cairn", ""), {"init", "add", "search", "model", "eval", "help"}),
    (("cairn", "model", "in"), {"install", "info"}),
    (("cairn", "eval", ""), {"roxford"}),
    (("cairn", "help", "se"), {"search"}),
    (("cairn", "model", "install", "x"), {"xfeat"}),
    (("cairn", "recipe", ""), {"list", "show", "check"}),
    (("cairn", "recipe", "show", "nii"), {"nii-2018"}),
    (("cairn", "recipe", "check", "a-fi"), {"a-file.png"}),
    (("cairn", "search", "c", "--min-"), {"--min-score", "--min-inliers"}),
    (("cairn", "search", "c", "--format", ""), {"text", "json", "csv"}),
    (("cairn", "search", "c", "--form"), {"--format"}),
    (("cairn", "search", "c", "--order", "f"), {"fused"}),
    (("cairn", "search", "c", "a-fi"), {"a-file.png"}),
    (("cairn", "search", "a-fo"), {"a-folder"}),
)


def test_completion(place):
    place.write("a-file.png", "")
    (place / "a-folder").mkdir()
    for words, wanted in COMPLETIONS:
        offered, err = completed(place, *words)
        exact = wanted == set(offered) or words[-1] == "" and wanted <= set(offered)
        check(f"bash completes {' '.join(words)!r}", exact and err == "", f"{offered} {err}")


def test_completion_scripts_parse(place):
    for shell, flag in (("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")):
        script = place.run("help", "--completion", shell)
        check(f"a script for {shell}", script.code == DONE and script.err == "" and "roxford" in script.out, script.err)
        if not shutil.which(shell):
            skip(f"{shell} {flag} takes it", f"{shell} is not here")
            continue
        parsed = subprocess.run([shell, flag, place.write(f"completion.{shell}", script.out)], capture_output=True, text=True)
        check(f"{shell} {flag} takes it", parsed.returncode == 0 and parsed.stderr == "", parsed.stderr)


run_tests(globals())
