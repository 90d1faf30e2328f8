"""Kills `add`, `index`, `compact` and `repair` with SIGKILL at random instants. After each kill the collection must be clean; after
the last one `add` is resumed and compacted, and the outcome must equal that of a run that nobody disturbed: the same ids,
rows and features, and the same bytes in the segments.

Usage: kill_test.py DRIVER [KILLS [SEED]]; the collection keeps RootSIFT and the descriptors of a tiny network"""
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

driver = sys.argv[1]
kills = int(sys.argv[2]) if len(sys.argv) > 2 else 10
seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
random.seed(seed)
IMAGES = 240
BATCH = "5"
failed = 0
number = 0


def told(ok, what):
    global failed, number
    number += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} - {what}", flush=True)


def run(*arguments):
    return subprocess.run([driver, *arguments], check=True, capture_output=True, text=True).stdout


def segments(folder):
    """Digests of the contents of all segment files, whatever their names."""
    folder = pathlib.Path(folder, "segments")
    return sorted((path.suffixes, hashlib.sha256(path.read_bytes()).hexdigest()) for path in folder.iterdir())


def undisturbed(photos, folder, model):
    run("create", folder, model)
    start = time.monotonic()
    run("add", folder, BATCH, photos)
    return time.monotonic() - start


def killed(seconds, *arguments):
    """Starts the driver and kills it; says whether it was still running."""
    process = subprocess.Popen([driver, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def main(work):
    photos, model = os.path.join(work, "photos"), os.path.join(work, "tiny")
    os.mkdir(photos)
    run("photos", photos, str(IMAGES))
    run("model", model)
    with open(os.path.join(photos, "00050-bad.jpg"), "w") as bad:
        bad.write("no photograph")
    shutil.copy(os.path.join(photos, "00003.png"), os.path.join(photos, "00090-copy.png"))
    calm = os.path.join(work, "calm")
    seconds = undisturbed(photos, calm, model)
    run("index", calm, "64")
    run("compact", calm)
    wanted, wanted_bytes = run("dump", calm), segments(calm)
    told(wanted.count("\n") == IMAGES, f"undisturbed run of {seconds:.2f} s has {IMAGES} images")
    told(sorted({suffixes[0] for suffixes, _ in wanted_bytes}) == [".codes", ".images", ".rootsift", ".rows", ".scales"]
         and {suffixes[1] for suffixes, _ in wanted_bytes} == {".npy", ".features", ".asmk", ".codebook"},
         "segments have all their files")
    kill_adding(work, photos, model, calm, seconds, wanted, wanted_bytes)
    kill_indexing(work, photos, model, calm, wanted, wanted_bytes)
    kill_repairing(calm, wanted, wanted_bytes)


def kill_adding(work, photos, model, calm, seconds, wanted, wanted_bytes):
    done = rounds = 0
    while done < kills:
        # A collection is killed several times, at instants that are spread over what is left to do.
        folder = os.path.join(work, f"killed{rounds}")
        rounds += 1
        run("create", folder, model)
        run("index", folder, calm)
        hits = 0
        while done < kills and hits < 8 and killed(random.uniform(0.3, 0.9) * seconds, "add", folder, BATCH, photos):
            hits += 1
            done += 1
            faults = run("check", folder)
            listed = run("dump", folder)
            told(only_strays(faults), f"clean after kill {done} with {listed.count(chr(10))} images")
        run("add", folder, BATCH, photos)
        if killed(random.uniform(0, 0.3), "compact", folder):
            told(only_strays(run("check", folder)), "clean after a killed compaction")
        run("compact", folder)
        told(run("check", folder).strip() == "faults 0", "clean after resuming and compacting")
        told(run("dump", folder) == wanted, f"ids, rows and features are those of the undisturbed run ({hits} kills)")
        told(segments(folder) == wanted_bytes, "segments have the same bytes")
        shutil.rmtree(folder)


def kill_indexing(work, photos, model, calm, wanted, wanted_bytes):
    """Whenever it is stopped, the segments that have their ASMK files keep them, and the next run makes the others."""
    folder = os.path.join(work, "indexed")
    undisturbed(photos, folder, model)
    start = time.monotonic()
    run("index", folder, calm)
    seconds = time.monotonic() - start
    for kill in range(kills):
        run("index", folder, "32" if kill % 2 else "64")
        # Another codebook takes the place of this one with all its files.
        killed(random.uniform(0, 1) * seconds, "index", folder, calm)
        told(only_strays(run("check", folder)), f"clean after index was killed ({kill})")
    run("index", folder, calm)
    told(run("check", folder).strip() == "faults 0", "clean after resuming")
    run("compact", folder)
    told(run("dump", folder) == wanted and segments(folder) == wanted_bytes, "ASMK files are those of the undisturbed run")


def kill_repairing(folder, wanted, wanted_bytes):
    """Codes are made again from the rows; whenever that is stopped, the old ones or the new ones are registered."""
    seconds = 0
    for kill in range(kills + 1):
        path, = pathlib.Path(folder, "segments").glob("*.codes.npy" if kill % 2 else "*.scales.npy")
        path.write_bytes(path.read_bytes()[:-4] + b"wrong")
        start = time.monotonic()
        if kill == 0:
            run("repair", folder)
            seconds = time.monotonic() - start
        else:
            killed(random.uniform(0.2, 1) * seconds, "repair", folder)
            told(only_strays(run("check", folder), path.name), f"nothing else is damaged after repair was killed ({kill})")
            run("repair", folder)
        told(run("check", folder).strip() == "faults 0" and run("dump", folder) == wanted and segments(folder) == wanted_bytes,
             "repair gives the same bytes again")


def only_strays(output, damaged=None):
    """Files of a batch that was not committed are the only thing that a kill may leave, beside what was damaged before;
    the next writer deletes them."""
    *faults, count = output.strip().splitlines()
    return count.startswith("faults ") and all(line.endswith("the next one that writes deletes it") or
                                               line.split(":")[0] == damaged for line in faults)


with tempfile.TemporaryDirectory(prefix="cairn-kill-") as folder:
    main(folder)
print(f"1..{number}")
sys.exit(1 if failed else 0)
