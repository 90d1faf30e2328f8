"""Fills a small tmpfs with a collection: the error says that the disk is full, what was committed stays and is clean, and
with more space the rest can be added. Needs the right to mount; says that it is skipped otherwise.

Usage: full_disk_test.py DRIVER"""
import os
import subprocess
import sys
import tempfile

driver = sys.argv[1]
IMAGES = 150
number = failed = 0


def told(ok, what):
    global failed, number
    number += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {number} - {what}", flush=True)


def run(*arguments):
    return subprocess.run([driver, *arguments], capture_output=True, text=True)


def is_clean(output):
    """Files of a batch whose commit failed may be left; the next writer deletes them."""
    *faults, count = output.strip().splitlines()
    return count.startswith("faults ") and all(line.endswith("no segment that the catalogue knows has this file")
                                               for line in faults)


def main(photos, disk):
    run("photos", photos, str(IMAGES))
    folder = os.path.join(disk, "collection")
    told(run("create", folder).returncode == 0, "a collection is made on a small disk")
    full = run("add", folder, "10", photos)
    told(full.returncode == 3 and "ENOSPACE" in full.stderr, f"the disk is full: {full.stderr.strip()}")
    added = int(full.stdout.split()[1])
    told(0 < added < IMAGES, f"{added} images were committed before")
    listed = run("dump", folder)
    told(listed.returncode == 0 and listed.stdout.count("\n") == added, "they are all there")
    told(is_clean(run("check", folder).stdout), "check finds no fault")
    again = run("add", folder, "10", photos)
    told(again.returncode == 3, "still full")
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    rest = run("add", folder, "10", photos)
    told(rest.returncode == 0 and run("dump", folder).stdout.count("\n") == IMAGES, "with more space the rest comes in")
    told("faults 0" in run("check", folder).stdout, "check finds no fault")


with tempfile.TemporaryDirectory(prefix="cairn-full-") as work:
    photos, disk = os.path.join(work, "photos"), os.path.join(work, "disk")
    os.mkdir(photos)
    os.mkdir(disk)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "none", disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        print(f"1..0 # SKIP cannot mount a small disk: {mounted.stderr.strip()}")
        sys.exit(0)
    try:
        main(photos, disk)
    finally:
        subprocess.run(["umount", disk], check=True)
print(f"1..{number}")
sys.exit(1 if failed else 0)
