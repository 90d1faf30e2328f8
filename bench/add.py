"""Adding images to a collection (decode, Lite0 at 512, XFeat at 640, store) against the same two networks in ONNX Runtime
with two Python workers, and against raw inference of the two networks. Run by `make bench-add`.

The peer decodes with OpenCV, reduced while decoding where that leaves enough, resizes, runs both networks in f32 (ONNX
Runtime has no bf16 on this path), pools and selects keypoints with NumPy and OpenCV; it writes nothing and its start is not
counted. cairn's time is that of the whole command, in the precision that `auto` chooses. Raw inference is measured twice:
each network alone at each of its input sizes (`cairn model bench`), and both networks on inputs of the images' sizes in the
images' order, by OpenVINO's own Python package with two streams and two requests; neither decodes or computes anything else."""
import json
import os
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
import onnxruntime
import openvino
import PIL.Image

from common import BUILD, CAIRN, HOME, Ratios, in_turn, need_data, need_models, run_workers, timed_add

WORKERS = 2
ROUNDS = 5


def target_size(width, height, longest):
    """The size rule of cairn: longest side, both sides to the nearest multiple of 32."""
    scale = min(1.0, longest / max(width, height))
    return tuple(max(32, int(side * scale / 32 + 0.5) * 32) for side in (width, height))


def resized(image, longest):
    return cv2.resize(image, target_size(image.shape[1], image.shape[0], longest), interpolation=cv2.INTER_AREA)


def global_descriptor(session, image):
    pixels = cv2.cvtColor(resized(image, 512), cv2.COLOR_BGR2RGB).astype(np.float32)
    tensor = ((pixels - 127) / 128).transpose(2, 0, 1)[None]
    (features,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(tensor)})
    vector = np.cbrt((np.maximum(features[0], 1e-6) ** 3).mean(axis=(1, 2)))
    return vector / np.linalg.norm(vector)


def local_features(session, image):
    grey = resized(image, 640).astype(np.float32).mean(axis=2)[None, None]
    outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, {session.get_inputs()[0].name: grey})))
    logits = outputs["keypoints"][0]
    exps = np.exp(logits - logits.max(axis=0))
    heat = (exps / exps.sum(axis=0))[:64]
    height, width = heat.shape[1:]
    heat = heat.reshape(8, 8, height, width).transpose(2, 0, 3, 1).reshape(height * 8, width * 8)
    peaks = (heat == cv2.dilate(heat, np.ones((5, 5), np.uint8))) & (heat > 0.05)
    y, x = np.nonzero(peaks)
    points = np.stack([(x + 0.5) / 8 - 0.5, (y + 0.5) / 8 - 0.5], axis=1).astype(np.float32)[:, None]
    sample = lambda plane: cv2.remap(plane, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
    scores = heat[y, x] * sample(outputs["reliability"][0, 0])
    best = np.argsort(-scores)[:1000]
    points = points[best]
    descriptors = np.stack([sample(plane) for plane in outputs["descriptors"][0]], axis=1)
    return descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)


def decoded(path):
    """As the file is, or reduced by what JPEG decoding can do for nothing, the longest side 640 or more."""
    width, height = sizes_of([path])[0]
    for factor, flag in ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2)):
        if max(width, height) // factor >= 640:
            return cv2.imread(path, flag)
    return cv2.imread(path)


def sizes_of(paths):
    """From the files' headers."""
    sizes = []
    for path in paths:
        with PIL.Image.open(path) as image:
            sizes.append(image.size)
    return sizes


def peer_worker(paths, models, ready, go, done):
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in models]
    warm = cv2.imread(paths[0])
    global_descriptor(sessions[0], warm), local_features(sessions[1], warm)
    ready.release()
    go.wait()
    for path in paths:
        image = decoded(path)
        global_descriptor(sessions[0], image)
        local_features(sessions[1], image)
    done.release()


def raw_seconds(sizes):
    """Seconds of raw inference for all images, from `cairn model bench` at each network's input sizes."""
    total = 0.0
    for name, longest in (("efficientnet-lite0", 512), ("xfeat", 640)):
        targets = [target_size(width, height, longest) for width, height in sizes]
        for target in set(targets):
            out = subprocess.run([CAIRN, "model", "bench", name, "--size", "%dx%d" % target, "--seconds", "0.6", "--threads", str(WORKERS), "--format", "json"],
                                 check=True, capture_output=True, text=True).stdout
            total += targets.count(target) / json.loads(out)["images_per_second"]
    return total


def raw_openvino(sizes, precision):
    """Seconds of both networks on inputs of these sizes, in this order; the second of two rounds."""
    core = openvino.Core()
    how = {"NUM_STREAMS": str(WORKERS), "INFERENCE_NUM_THREADS": str(WORKERS), "INFERENCE_PRECISION_HINT": precision}
    queues = [openvino.AsyncInferQueue(core.compile_model(str(HOME / "models" / name / "model.onnx"), "CPU", how), WORKERS)
              for name in ("efficientnet-lite0", "xfeat")]
    inputs = [[((1, channels, *target_size(width, height, longest)[::-1])) for width, height in sizes] for channels, longest in ((3, 512), (1, 640))]
    tensors = {shape: np.random.default_rng(0).random(shape, np.float32) for shape in set(inputs[0] + inputs[1])}
    for _ in range(2):
        start = time.perf_counter()
        for shapes in zip(*inputs):
            for queue, shape in zip(queues, shapes):
                queue.start_async({0: openvino.Tensor(tensors[shape], shared_memory=True)})
        for queue in queues:
            queue.wait_all()
        seconds = time.perf_counter() - start
    return seconds


def camera_files(paths, folder):
    """The same photographs enlarged to 24 megapixels, as a camera writes them."""
    made = []
    for path in paths:
        image = cv2.imread(path)
        scale = (24e6 / (image.shape[0] * image.shape[1])) ** 0.5
        made.append(os.path.join(folder, os.path.basename(path)))
        cv2.imwrite(made[-1], cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return made


def precision_in_use():
    out = subprocess.run([CAIRN, "model", "bench", "efficientnet-lite0", "--seconds", "0.1", "--format", "json"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["precision"]


def measure(ratios, case, paths, models, counts):
    sizes, precision, count = sizes_of(paths), precision_in_use(), len(paths)
    cairn, peer, raw, openvinos = in_turn(ROUNDS, lambda: timed_add(["--model", "efficientnet-lite0", "--local", "xfeat"], paths, WORKERS), lambda: run_workers(peer_worker, WORKERS, paths, models), lambda: raw_seconds(sizes),
                                          lambda: raw_openvino(sizes, precision))
    print(f"{case}: {count} images; cairn {count / cairn:.1f}/s, ONNX Runtime {count / peer:.1f}/s; raw inference in {precision}: "
          f"each network alone {count / raw:.1f}/s, cairn takes {cairn / raw:.2f} of that time; OpenVINO's Python package, both networks in the "
          f"files' order {count / openvinos:.1f}/s, {cairn / openvinos:.2f}")
    ratios.add(case, peer / cairn, f"ONNX Runtime {onnxruntime.__version__}, {WORKERS} Python workers", counts)


def main():
    folder = need_data("roxford-mini/jpg")
    need_models("efficientnet-lite0", "xfeat")
    models = [str(HOME / "models" / name / "model.onnx") for name in ("efficientnet-lite0", "xfeat")]
    paths = sorted(str(path) for path in folder.glob("*.jpg"))
    if "--quick" in sys.argv:
        paths = paths[::8]
    ratios = Ratios("add")
    measure(ratios, "roxford-640", paths, models, True)
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        # Beside it: here the decoding that both do alike weighs most.
        measure(ratios, "camera-24mp", camera_files(paths[:40], scratch), models, False)
    ratios.end()


if __name__ == "__main__":
    main()
