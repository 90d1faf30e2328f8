"""Extraction of global descriptors at three scales from photographs of 1024 pixels, with Lite0 and with a ResNet-101, pooled by GeM and
summed: cairn's `add` against the same network in ONNX Runtime with two Python workers and, for the ResNet, in PyTorch where Debian's
python3-torch and python3-torchvision are installed. Run by `make bench-extract`.

cairn's time is that of the whole command: starting, decoding, resizing, inference in the precision that `auto` chooses, writing. The peers
decode with OpenCV or Pillow, resize, run the network in f32, pool with NumPy or PyTorch, and write nothing; their start is not counted.
Raw inference is OpenVINO's own Python package with two streams on inputs of the same sizes in the same order, nothing else."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
import onnxruntime
import openvino

import networks
from common import BUILD, CAIRN, HOME, Ratios, in_turn, need_data, need_models, run_workers, timed_add

WORKERS, ROUNDS, LONGEST = 2, 3, 1024
SCALES = (2**-0.5, 1.0, 2**0.5)
VIEWS = {"scales": SCALES, "combine": "sum"}
IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
LITE0 = ([127.0] * 3, [128.0] * 3)
SYSTEM_PYTHON = "/usr/bin/python3"
TORCH = """
import sys, time
import numpy as np, torch, torchvision
from PIL import Image
torch.set_num_threads(%(threads)d)
network = torchvision.models.resnet101(weights=None).eval()
network = torch.nn.Sequential(*list(network.children())[:-2])
paths, sizes = sys.argv[1:], %(sizes)r
def describe(path, sizes):
    image, total = Image.open(path).convert("RGB"), 0
    for size in sizes:
        pixels = torch.from_numpy(np.asarray(image.resize(size, Image.BILINEAR), dtype=np.float32).transpose(2, 0, 1).copy())[None]
        pixels = (pixels - torch.tensor(%(mean)r)[:, None, None]) / torch.tensor(%(std)r)[:, None, None]
        vector = network(pixels).clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)
        total = total + vector / vector.norm()
    return total / total.norm()
with torch.inference_mode():
    describe(paths[0], sizes[0])
    start = time.perf_counter()
    for path, views in zip(paths, sizes):
        describe(path, views)
    print(time.perf_counter() - start)
"""


def view_sizes(width, height):
    """As cairn: the longest side at most LONGEST, times each scale, both sides to the nearest multiple of 32."""
    shrink = min(1.0, LONGEST / max(width, height))
    return [tuple(max(32, int(side * shrink * scale / 32 + 0.5) * 32) for side in (width, height)) for scale in SCALES]


def photographs(count, folder):
    """Of roxford-mini, brought to 1024 pixels, as JPEG."""
    paths = []
    for path in sorted(need_data("roxford-mini/jpg").glob("*.jpg"))[:count]:
        image = cv2.imread(str(path))
        scale = LONGEST / max(image.shape[:2])
        size = tuple(round(side * scale) for side in image.shape[1::-1])
        paths.append(os.path.join(folder, path.name))
        cv2.imwrite(paths[-1], cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return paths


def import_model(name, onnx, pixels, dim):
    mean, std = pixels
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"format": 1, "kind": "global", "input": {"type": "f32", "layout": "NCHW", "channels": "RGB", "mean": mean, "std": std,
                                                              "longest": LONGEST, "multiple": 32},
                   "global": {"output": "features", "pool": "gem", "p": 3, "dim": dim, "views": VIEWS}}, file)
        file.flush()
        subprocess.run([CAIRN, "model", "import", name, onnx, file.name, "--replace"], check=True, capture_output=True)


def describe(session, path, pixels):
    image, total = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB), 0
    mean, std = (np.array(numbers, np.float32) for numbers in pixels)
    for size in view_sizes(image.shape[1], image.shape[0]):
        tensor = ((cv2.resize(image, size, interpolation=cv2.INTER_AREA) - mean) / std).transpose(2, 0, 1)[None]
        (features,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(tensor, np.float32)})
        vector = np.cbrt((np.maximum(features[0], 1e-6) ** 3).mean(axis=(1, 2)))
        total = total + vector / np.linalg.norm(vector)
    return total / np.linalg.norm(total)


def peer_worker(paths, model, pixels, ready, go, done):
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    describe(session, paths[0], pixels)
    ready.release()
    go.wait()
    for path in paths:
        describe(session, path, pixels)
    done.release()


def run_torch(paths, sizes):
    """One process with all cores, as its users run it."""
    program = TORCH % {"threads": WORKERS, "sizes": sizes, "mean": IMAGENET[0], "std": IMAGENET[1]}
    return float(subprocess.run([SYSTEM_PYTHON, "-c", program, *paths], check=True, capture_output=True, text=True).stdout)


def has_torch():
    return subprocess.run([SYSTEM_PYTHON, "-c", "import torch, torchvision, PIL"], capture_output=True).returncode == 0


def run_raw(model, sizes, precision):
    core = openvino.Core()
    how = {"NUM_STREAMS": str(WORKERS), "INFERENCE_NUM_THREADS": str(WORKERS), "INFERENCE_PRECISION_HINT": precision}
    queue = openvino.AsyncInferQueue(core.compile_model(model, "CPU", how), WORKERS)
    shapes = [(1, 3, height, width) for views in sizes for width, height in views]
    tensors = {shape: np.random.default_rng(0).random(shape, np.float32) for shape in set(shapes)}
    for shape in tensors:
        queue.start_async({0: openvino.Tensor(tensors[shape], shared_memory=True)})
    queue.wait_all()
    start = time.perf_counter()
    for shape in shapes:
        queue.start_async({0: openvino.Tensor(tensors[shape], shared_memory=True)})
    queue.wait_all()
    return time.perf_counter() - start


def precision_of(name):
    out = subprocess.run([CAIRN, "model", "bench", name, "--size", "256x256", "--seconds", "0.1", "--format", "json"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["precision"]


def measure(ratios, case, name, model, pixels, paths, with_torch):
    count, precision = len(paths), precision_of(name)
    sizes = [view_sizes(*cv2.imread(path).shape[1::-1]) for path in paths]
    programs = [lambda: timed_add(["--model", name, "--local", "none"], paths, WORKERS), lambda: run_raw(model, sizes, precision), lambda: run_workers(peer_worker, WORKERS, paths, model, pixels)]
    if with_torch:
        programs.append(lambda: run_torch(paths, sizes))
    cairn, raw, peer, *others = in_turn(ROUNDS, *programs)
    print(f"{case}: {count} images; cairn {count / cairn:.2f}/s, ONNX Runtime {count / peer:.2f}/s; raw inference in {precision} {count / raw:.2f}/s, "
          f"cairn takes {cairn / raw:.3f} of its time", flush=True)
    ratios.add(case, peer / cairn, f"ONNX Runtime {onnxruntime.__version__}, {WORKERS} Python workers")
    for torch in others:
        ratios.add(f"{case}-torch", torch / cairn, f"PyTorch of Debian, {WORKERS} threads", False)


def main():
    quick, ratios = "--quick" in sys.argv, Ratios("extract")
    need_models("efficientnet-lite0")
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        lite0 = str(HOME / "models" / "efficientnet-lite0" / "model.onnx")
        import_model("bench-lite0-scales", lite0, LITE0, 1280)
        paths = photographs(16 if quick else 128, folder)
        measure(ratios, "lite0", "bench-lite0-scales", lite0, LITE0, paths, False)
        resnet = os.path.join(folder, "resnet101.onnx")
        networks.resnet(resnet, (3, 4, 23, 3))
        import_model("bench-resnet101-scales", resnet, IMAGENET, 2048)
        measure(ratios, "resnet101", "bench-resnet101-scales", resnet, IMAGENET, paths[: 4 if quick else 12], has_torch())
    for name in ("bench-lite0-scales", "bench-resnet101-scales"):
        shutil.rmtree(HOME / "models" / name)
    ratios.end()


if __name__ == "__main__":
    main()
