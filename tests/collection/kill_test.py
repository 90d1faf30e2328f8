"""Kills `add` and `compact` with SIGKILL at random instants. After each kill the collection must be clean; after the last
one `add` is resumed and compacted, and the outcome must equal that of a run that nobody disturbed: the same ids, rows and
features, and the same bytes in the segments.

Usage: kill_test.py DRIVER [KILLS [SEED]]; the collection keeps RootSIFT and the descriptors of a tiny network"""
import hashlib
import os
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
    """Digest of the contents of all segment files, whatever their names."""
    folder = os.path.join(folder, "segments")
    contents = [open(os.path.join(folder, name), "rb").read() for name in sorted(os.listdir(folder))]
    return hashlib.sha256(b"".join(contents)).hexdigest()


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
    run("compact", calm)
    wanted, wanted_bytes = run("dump", calm), segments(calm)
    told(wanted.count("\n") == IMAGES, f"undisturbed run of {seconds:.2f} s has {IMAGES} images")
    done = rounds = 0
    while done < kills:
        # A collection is killed several times, at instants that are spread over what is left to do.
        folder = os.path.join(work, f"killed{rounds}")
        rounds += 1
        run("create", folder, model)
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


def only_strays(output):
    """Files of a batch that was not committed are the only thing that a kill may leave; the next writer deletes them."""
    *faults, count = output.strip().splitlines()
    return count.startswith("faults ") and all(line.endswith("no segment that the catalogue knows has this file")
                                               for line in faults)


with tempfile.TemporaryDirectory(prefix="cairn-kill-") as folder:
    main(folder)
print(f"1..{number}")
sys.exit(1 if failed else 0)
