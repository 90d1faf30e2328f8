"""Networks with random weights for benchmarks, as ONNX files: speed does not depend on what the weights are."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    def __init__(self, seed):
        self.nodes, self.weights, self.random = [], [], np.random.default_rng(seed)

    def op(self, kind, *inputs, **attributes):
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def conv(self, x, inputs, outputs, kernel, stride=1, relu=True):
        """With the batch normalisation folded in, as exporters do; activations keep about their size."""
        weight = self.random.standard_normal((outputs, inputs, kernel, kernel)) * (2 / (inputs * kernel * kernel)) ** 0.5
        x = self.op("Conv", x, self.constant(weight), self.constant(np.zeros(outputs)), kernel_shape=[kernel] * 2,
                    strides=[stride] * 2, pads=[kernel // 2] * 4)
        return self.op("Relu", x) if relu else x

    def save(self, path, output, channels):
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])
        features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, channels, "h", "w"])
        self.nodes.append(helper.make_node("Identity", [output], ["features"]))
        graph = helper.make_graph(self.nodes, "network", [image], [features], self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def resnet(path, blocks):
    """He et al., 2016, with bottlenecks, without the classifier: (3, 4, 23, 3) are the blocks of ResNet-101. Strides as torchvision
    places them."""
    graph = Graph(0)
    x = graph.conv("image", 3, 64, 7, 2)
    x = graph.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inputs = 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            shortcut = x if block else graph.conv(x, inputs, 4 * width, 1, stride, relu=False)
            y = graph.conv(x, inputs, width, 1)
            y = graph.conv(y, width, width, 3, stride)
            # Small, or a hundred sums would grow beyond all numbers.
            y = graph.op("Mul", graph.conv(y, width, 4 * width, 1, relu=False), graph.constant(np.array(0.2)))
            x = graph.op("Relu", graph.op("Add", y, shortcut))
            inputs = 4 * width
    graph.save(path, x, inputs)
