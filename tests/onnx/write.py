"""Writes an ONNX model, FOLDER/model.onnx, with images and the logits that onnxruntime has for them
(images.f32, theirs.f32), before a softmax, and for networks that are exported in training mode the gradients of one
batch that PyTorch has (gradients.safetensors). Prints the shape: channels, height, width, classes.

The name is that of a graph below, or NETWORK:EXPORT of torchvision or of the networks below;
NETWORK@SIDE:EXPORT for images of another side.
Without one, lists what the modules that are installed can write."""

import argparse
import os
import sys
import warnings

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

IMAGES = 4
warnings.filterwarnings("ignore")
random = numpy.random.default_rng(3)


def weights(*shape, scale=None):
    fan_in = numpy.prod(shape[1:]) if len(shape) > 1 else 4
    return random.normal(0, scale or (2 / fan_in) ** 0.5, shape).astype("float32")


# ---- graphs, node by node ----


class Graph:
    """Nodes in a row; each reads the one before it unless inputs are named."""

    def __init__(self, opset, image=(3, 12, 12), channels_last=False, batch="batch"):
        self.opset, self.image = opset, image
        self.nodes, self.initializers, self.last = [], [], "images"
        shape = [batch, *(image[1:] + image[:1] if channels_last else image)]
        self.input = helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
        self.channels_last = channels_last

    def weight(self, name, values):
        self.initializers.append(numpy_helper.from_array(numpy.asarray(values), name))
        return name

    def add(self, op, *inputs, name=None, outputs=1, **attributes):
        name = name or f"{op.lower()}_{len(self.nodes)}"
        names = [name] + [f"{name}:{i}" for i in range(1, outputs)]
        if op != "Constant":
            inputs = [self.last if i is None else i for i in inputs or (None,)]
        self.nodes.append(helper.make_node(op, inputs, names, name=name, **attributes))
        self.last = name
        return name

    def conv(self, name, out, into, kernel=3, bias=True, **attributes):
        ws = [self.weight(name + ".weight", weights(out, into, kernel, kernel))]
        if bias:
            ws.append(self.weight(name + ".bias", weights(out)))
        attributes.setdefault("pads", [kernel // 2] * 4)
        if not attributes["pads"]:
            del attributes["pads"]
        return self.add("Conv", None, *ws, name=name, **attributes)

    def norm(self, name, channels, **attributes):
        ws = [self.weight(name + ".weight", random.uniform(0.5, 1.5, channels).astype("float32")),
              self.weight(name + ".bias", weights(channels)),
              self.weight(name + ".running_mean", weights(channels)),
              self.weight(name + ".running_var",
                          random.uniform(0.5, 1.5, channels).astype("float32"))]
        return self.add("BatchNormalization", None, *ws, name=name, **attributes)

    def linear(self, name, out, into):
        return self.add("Gemm", None, self.weight(name + ".weight", weights(out, into)),
                        self.weight(name + ".bias", weights(out)), name=name, transB=1)

    def model(self, classes, metadata=None):
        output = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, ["batch", classes])
        graph = helper.make_graph(self.nodes, "test", [self.input], [output], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 4 if self.opset < 13 else 8
        helper.set_model_props(model, metadata or {})
        self.classes = classes
        return model


def plain(opset=9):
    g = Graph(opset)
    g.conv("a", 6, 3)
    g.add("Relu")
    g.add("MaxPool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])
    g.conv("b", 8, 6, kernel=2, pads=[0, 0, 0, 0], strides=[1, 2], dilations=[2, 1])
    g.add("LeakyRelu", alpha=0.2)
    g.add("AveragePool", kernel_shape=[2, 2], strides=[1, 1], pads=[1, 1, 1, 1],
          count_include_pad=1)
    g.norm("n", 8, epsilon=1e-3, momentum=0.8)
    g.add("Elu", alpha=0.7)
    g.add("Flatten", axis=1)
    g.linear("c", 10, 8 * 5 * 4)
    g.add("Tanh")
    g.linear("d", 5, 10)
    return g, g.model(5)


def activations():
    """silu as a product, GELU as its formula, in two orders, and as an operator."""
    g = Graph(20)
    x = g.conv("a", 6, 3)
    s = g.add("Sigmoid", x)
    x = g.add("Mul", x, s)
    root, one, half = (g.weight(n, numpy.float32(v))
                       for n, v in (("root", 2 ** 0.5), ("one", 1), ("half", 0.5)))
    e = g.add("Add", g.add("Erf", g.add("Div", x, root)), one)
    x = g.add("Mul", g.add("Mul", x, e), half)
    x = g.conv("b", 6, 6)
    e = g.add("Mul", half, g.add("Add", one, g.add("Erf", g.add("Div", x, root))))
    x = g.add("Mul", e, x)
    g.conv("c", 6, 6)
    g.add("Gelu")
    g.add("GlobalAveragePool")
    g.add("Flatten")
    g.linear("d", 7, 6)
    g.add("Sigmoid")
    g.linear("e", 4, 7)
    return g, g.model(4)


def bounds(opset):
    """ReLU6 and the hard functions, and convolutions with other zeros before than after."""
    g = Graph(opset)
    g.conv("a", 6, 3, strides=[2, 2], pads=[0, 0, 1, 1])

    def clip(low, high):
        if opset < 11:
            return g.add("Clip", **({"min": low} if high is None else {"min": low, "max": high}))
        ws = [g.weight(f"{len(g.nodes)}{i}", numpy.float32(v))
              for i, v in enumerate((low, high)) if v is not None]
        return g.add("Clip", None, *ws)

    clip(0.0, 1.0)
    g.conv("b", 6, 6, kernel=3, auto_pad="SAME_UPPER", strides=[2, 2], pads=[])
    x = g.add("LeakyRelu", alpha=0.25)
    s = g.add("HardSigmoid", alpha=1 / 6, beta=0.5)
    g.add("Mul", s, x)
    g.conv("c", 6, 6, auto_pad="SAME_LOWER", kernel=2, pads=[])
    clip(0.0, None)
    if opset > 13:
        g.conv("d", 6, 6)
        g.add("HardSwish")
    g.add("AveragePool", kernel_shape=[1, 1], strides=[1, 1])
    pads = [0, 0, 1, 0, 0, 0, 0, 2]
    if opset < 11:
        g.add("Pad", pads=pads)
    else:
        g.add("Pad", None, g.weight("pads", numpy.array(pads)))
    g.conv("e", 4, 6, pads=[0, 0, 1, 0])
    g.add("GlobalAveragePool")
    g.add("HardSigmoid", alpha=1 / 6)
    g.add("Flatten")
    g.linear("f", 5, 4)
    return g, g.model(5)


def branches():
    """More inputs of a concatenation than a layer has, sums of three, and an output that is left."""
    g = Graph(13)
    x = g.conv("a", 4, 3)
    parts = []
    for i in range(19):
        g.last = x
        parts.append(g.conv(f"b{i}", 2 + i % 2, 4, kernel=1, bias=i % 3 > 0))
    g.add("Concat", *parts, axis=1)
    x = g.conv("c", 5, 47)
    y = g.add("Relu")
    z = g.add("Sigmoid", x)
    g.add("Sum", x, y, z)
    g.add("Identity")
    g.add("GlobalMaxPool")
    g.add("Squeeze", None, g.weight("axes", numpy.array([2, 3])))
    g.linear("d", 3, 5)
    g.add("Softmax", axis=-1)
    return g, g.model(3)


def shapes():
    """The arithmetic of a view(x.size(0), -1), Constant nodes and a cast."""
    g = Graph(11)
    g.add("Cast", to=TensorProto.FLOAT)
    x = g.conv("a", 4, 3, strides=[2, 2])

    def constant(value):
        return g.add("Constant", value=numpy_helper.from_array(numpy.array(value)))

    size = g.add("Shape", x)
    first = g.add("Gather", size, constant(0), axis=0)
    first = g.add("Unsqueeze", first, axes=[0])
    rest = g.add("Slice", size, constant([1]), constant([9223372036854775807]), constant([0]))
    rest = g.add("Mul", g.add("Gather", rest, constant(0)),
                 g.add("Mul", g.add("Gather", rest, constant(1)),
                       g.add("Gather", rest, constant(-1))))
    rest = g.add("Unsqueeze", rest, axes=[0])
    wanted = g.add("Concat", first, rest, axis=0)
    g.add("Reshape", x, wanted)
    g.add("Dropout", ratio=0.3)
    # a matrix that is transposed by a node, and a bias that is added by one
    t = g.add("Transpose", g.weight("b.weight", weights(5, 4 * 36)), perm=[1, 0])
    g.add("MatMul", "dropout_%d" % (len(g.nodes) - 2), t)
    g.add("Add", None, g.weight("b.bias", weights(5)))
    return g, g.model(5)


def shortcut():
    """A residual block with the shortcut A of He et al.: every second pixel, zeros as channels."""
    g = Graph(13)
    x = g.add("Relu", g.conv("a", 4, 3))
    g.conv("b", 6, 4, strides=[2, 2])
    y = g.norm("n", 6)
    s = g.add("Slice", x, *(g.weight(f"s{i}", numpy.array(v)) for i, v in
                            enumerate(([0, 0], [12, 12], [2, 3], [2, 2]))))
    s = g.add("Pad", s, g.weight("pads", numpy.array([0, 0, 0, 0, 0, 2, 0, 0])))
    g.add("Add", y, s)
    g.add("Relu")
    g.add("ReduceMean", axes=[2, 3], keepdims=0)
    g.linear("c", 4, 6)
    return g, g.model(4)


def tensorflow(opset=13):
    """As tf2onnx writes Keras's networks: channels last around every convolution, padding that is
    the same on both sides, a flattening with the channels last."""
    g = Graph(opset, channels_last=True)
    g.add("Transpose", perm=[0, 3, 1, 2])
    g.conv("a", 6, 3, bias=False)
    g.add("Transpose", perm=[0, 2, 3, 1])
    g.add("Mul", None, g.weight("scale", random.uniform(0.5, 2, (1, 1, 1, 6)).astype("float32")))
    g.add("Add", None, g.weight("shift", weights(1, 1, 1, 6)))
    x = g.add("Relu")
    g.add("Pad", None, g.weight("pads", numpy.array([0, 1, 1, 0, 0, 1, 1, 0])))
    g.add("Transpose", perm=[0, 3, 1, 2])
    g.conv("b", 6, 6, kernel=3, pads=[0, 0, 0, 0])
    g.add("Transpose", perm=[0, 2, 3, 1])
    g.add("Add", None, x)
    g.add("Mul", None, g.weight("scale2", random.uniform(0.5, 2, 6).astype("float32")))
    g.add("Sub", None, g.weight("shift2", weights(6)))
    g.add("Transpose", perm=[0, 3, 1, 2])
    g.add("AveragePool", kernel_shape=[4, 4], strides=[4, 4])
    g.add("Transpose", perm=[0, 2, 3, 1])
    g.add("Reshape", None, g.weight("shape", numpy.array([-1, 54])))
    g.add("MatMul", None, g.weight("kernel", weights(54, 8, scale=0.2)))
    g.add("Add", None, g.weight("bias", weights(8)))
    g.add("Relu")
    g.add("MatMul", None, g.weight("kernel2", weights(8, 4)))
    g.add("Softmax")
    return g, g.model(4)


def per_pixel():
    """A linear layer of the channels of each pixel, which are last."""
    g = Graph(17)
    g.conv("a", 5, 3)
    g.add("Transpose", perm=[0, 2, 3, 1])
    g.add("MatMul", None, g.weight("w", weights(5, 7)))
    g.add("Add", None, g.weight("v", weights(7)))
    g.add("Gelu") if g.opset >= 20 else g.add("Relu")
    g.add("ReduceMean", axes=[1, 2], keepdims=1)
    g.add("Reshape", None, g.weight("shape", numpy.array([0, 7])))
    g.linear("b", 3, 7)
    return g, g.model(3)


def groups():
    """Grouped and depthwise convolutions."""
    g = Graph(15)
    g.conv("a", 8, 3)
    g.add("Relu")
    g.add("Conv", None, g.weight("b.weight", weights(12, 4, 3, 3)), name="b", group=2,
          pads=[1, 1, 1, 1])
    g.norm("n", 12)
    g.add("Relu")
    g.add("Conv", None, g.weight("c.weight", weights(12, 1, 5, 5)),
          g.weight("c.bias", weights(12)), name="c", group=12, strides=[2, 2], pads=[2, 2, 2, 2])
    g.add("GlobalAveragePool")
    g.add("Flatten")
    g.linear("d", 5, 12)
    return g, g.model(5)


def transposed():
    """Transposed convolutions."""
    g = Graph(12)
    g.conv("a", 6, 3, strides=[2, 2])
    g.add("ConvTranspose", None, g.weight("b.weight", weights(6, 4, 3, 2)), name="b",
          strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 0])
    g.add("Relu")
    g.add("ConvTranspose", None, g.weight("c.weight", weights(4, 3, 3, 3)),
          g.weight("c.bias", weights(6)), name="c", group=2, dilations=[2, 1])
    g.add("GlobalAveragePool")
    g.add("Flatten")
    g.linear("d", 5, 6)
    return g, g.model(5)


def normalised():
    """Pixels of 0 to 255, which the graph normalises as Keras's networks do."""
    g = Graph(13)
    g.add("Mul", None, g.weight("scale", numpy.float32(1 / 127.5)))
    g.add("Sub", None, g.weight("one", numpy.float32(1)))
    g.add("Div", None, g.weight("by", numpy.float32([0.5, 1, 2]).reshape(3, 1, 1)))
    g.conv("a", 6, 3)
    g.add("Relu")
    g.add("GlobalAveragePool")
    g.add("Flatten")
    g.linear("b", 5, 6)
    by = numpy.float32([0.5, 1, 2]).reshape(3, 1, 1)
    g.feed = lambda images: (images * by + 1) * numpy.float32(127.5)
    return g, g.model(5)


def gates():
    """Squeeze-and-excitation, with the gate as either operand, and a product of two images."""
    g = Graph(14)
    x = g.conv("a", 6, 3)
    g.add("GlobalAveragePool")
    g.conv("b", 2, 6, kernel=1)
    g.add("Relu")
    g.conv("c", 6, 2, kernel=1)
    gate = g.add("Sigmoid")
    x = g.add("Mul", gate, x)
    g.add("ReduceMean", x, axes=[2, 3], keepdims=1)
    g.conv("d", 6, 6, kernel=1)
    g.add("Tanh")
    x = g.add("Mul", x, None)
    y = g.add("LeakyRelu", alpha=0.5)
    g.add("Mul", x, y)
    g.add("GlobalAveragePool")
    g.add("Flatten")
    g.linear("e", 5, 6)
    return g, g.model(5)


def shuffles(opset):
    """Channels in ranges and in turns, first and last, and an image that is a volume in between."""
    g = Graph(opset)
    x = g.conv("a", 12, 3)
    if opset < 13:
        g.add("Split", x, axis=1, split=[5, 7], outputs=2)
    else:
        g.add("Split", x, g.weight("sizes", numpy.array([5, 7])), axis=1, outputs=2)
    a, b = g.last, g.last + ":1"
    b = g.add("Relu", b)
    g.add("Concat", b, a, axis=1)
    g.add("Reshape", None, g.weight("three", numpy.array([0, 3, 4, 12, 12])))
    g.add("Transpose", perm=[0, 2, 1, 3, 4])
    x = g.add("Reshape", None, g.weight("one", numpy.array([0, -1, 12, 12])))
    c = g.add("Slice", x, *(g.weight(f"c{i}", numpy.array([v])) for i, v in enumerate((2, -1, 1))))
    g.conv("b", 6, 9)
    g.add("Transpose", perm=[0, 2, 3, 1])
    g.add("Reshape", None, g.weight("two", numpy.array([0, 12, 12, 2, 3])))
    g.add("Transpose", perm=[0, 1, 2, 4, 3])
    g.add("Reshape", None, g.weight("last", numpy.array([0, 12, 12, 6])))
    if opset < 18:
        g.add("Split", axis=-1, outputs=2)
    else:
        g.add("Split", axis=-1, outputs=2, num_outputs=2)
    g.add("Tanh", g.last + ":1")
    y = g.add("Transpose", perm=[0, 3, 1, 2])
    s = g.add("SplitToSequence", x, g.weight("each", numpy.array(5)), axis=1)
    a = g.add("SequenceAt", s, g.weight("end", numpy.array(-1)))
    s = g.add("SplitToSequence", x, g.weight("those", numpy.array([3, 4, 5])), axis=-3)
    b = g.add("SequenceAt", s, g.weight("at", numpy.array(1)))
    g.add("Concat", y, x, c, a, b, axis=1)
    g.add("GlobalAveragePool")
    g.add("Flatten")
    g.linear("d", 5, 30)
    return g, g.model(5)


def pools():
    """Windows that reach past the image, and means that leave zeros out."""
    g = Graph(19)
    g.conv("a", 4, 3)
    x = g.add("Relu")
    padded = g.add("Pad", x, g.weight("pads", numpy.array([0, 0, 0, 0, 0, 0, 1, 1])))
    kinds = (
        ("MaxPool", x, {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1}),
        ("MaxPool", x, {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ("MaxPool", padded, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 0]}),
        ("AveragePool", x, {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
        ("AveragePool", x, {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 0, 0]}),
        ("AveragePool", x, {"kernel_shape": [3, 3], "strides": [1, 2], "auto_pad": "SAME_LOWER"}),
        ("AveragePool", x, {"kernel_shape": [2, 3], "strides": [3, 2], "pads": [0, 1, 1, 1],
                            "count_include_pad": 1, "ceil_mode": 1}),
        ("AveragePool", padded, {"kernel_shape": [3, 3], "strides": [2, 2]}))
    parts = []
    for i, (kind, of, attributes) in enumerate(kinds):
        g.add(kind, of, **attributes)
        g.conv(f"b{i}", 2, 4)
        g.add("Relu")
        parts.append(g.add("GlobalAveragePool"))
    g.add("Concat", *parts, axis=1)
    g.add("Flatten")
    g.linear("c", 5, 2 * len(kinds))
    return g, g.model(5)


def random_numbers():
    """Stochastic depth and dropout as products with random numbers. onnxruntime runs it with
    everything kept."""
    g = Graph(18)
    quiet = {}

    def constant(value):
        name = g.weight(f"kept{len(quiet)}", numpy.float32(value))
        quiet[name] = numpy.float32(1)
        return name

    def kept_of(x, shape, kept):
        images = g.add("Shape", x, start=0, end=1)
        shape = g.add("Concat", images, g.weight(f"shape{len(quiet)}", numpy.array(shape)), axis=0)
        zeros = g.add("Expand", g.weight(f"zero{len(quiet)}", numpy.float32(0)), shape)
        uniform = g.add("RandomUniformLike", zeros, low=0.0, high=1.0)
        ones = g.add("Less", uniform, g.add("CastLike", constant(kept), uniform))
        return g.add("Div", g.add("CastLike", ones, zeros), constant(kept))

    x = g.conv("a", 6, 3)
    y = g.conv("b", 6, 6)
    y = g.add("Mul", y, kept_of(x, [1, 1, 1], 0.75))
    g.add("Add", y, x)
    g.add("Relu")
    g.add("GlobalAveragePool")
    x = g.add("Flatten")
    g.add("Mul", kept_of(x, [6], 0.6), x)
    x = g.linear("c", 5, 6)
    # onnxruntime 1.32 draws 1 with a probability of 1 - p: it runs an Identity in their place.
    shape = g.add("Shape", x)
    ones = g.add("Bernoulli", g.add("Expand", g.weight("p", numpy.float32(1)), shape))
    last = g.add("Mul", x, g.add("Identity", ones))
    model = g.model(5)
    g.stored = onnx.ModelProto()
    g.stored.CopyFrom(model)
    for tensor in model.graph.initializer:
        if tensor.name in quiet:
            tensor.CopyFrom(numpy_helper.from_array(quiet[tensor.name], tensor.name))
    del model.graph.node[-5:]
    model.graph.node.append(helper.make_node("Identity", [x], [last]))
    return g, model


def norms(opset):
    """Norms of images by themselves, as operators and in several, and layer scale."""
    g = Graph(opset)

    def positive(name, *shape):
        return g.weight(name, random.uniform(0.5, 1.5, shape).astype("float32"))

    def one(name, number):
        return g.weight(name, numpy.float32(number))

    x = g.conv("a", 6, 3)
    g.add("Transpose", perm=[0, 2, 3, 1])
    g.add("LayerNormalization", None, positive("l.weight", 6), g.weight("l.bias", weights(6)),
          epsilon=1e-3)
    x = g.add("Transpose", perm=[0, 3, 1, 2])
    g.conv("b", 6, 6)
    y = g.add("Mul", g.weight("scale", weights(6, 1, 1)), None)
    x = g.add("Add", x, y)
    x = g.add("LayerNormalization", None, positive("i.weight", 6, 12, 12), axis=1)
    mean = g.add("ReduceMean", x, *([g.weight("axes", numpy.array([1]))] if opset >= 18 else []),
                 **({} if opset >= 18 else {"axes": [1]}))
    d = g.add("Sub", x, mean)
    g.add("Pow", d, one("two", 2))
    v = g.add("ReduceMean", None, *(["axes"] if opset >= 18 else []),
              **({} if opset >= 18 else {"axes": [-3]}))
    s = g.add("Sqrt", g.add("Add", v, one("eps", 1e-2)))
    g.add("Div", d, s)
    g.add("Mul", None, positive("d.weight", 6, 1, 1))
    g.add("Add", None, g.weight("d.bias", weights(6, 1, 1)))
    x = g.conv("c", 8, 6, strides=[2, 2])
    g.add("Reshape", None, g.weight("four", numpy.array([0, 4, -1])))
    g.add("InstanceNormalization", None, positive("four.weight", 4),
          g.weight("four.bias", weights(4)), epsilon=1e-4)
    g.add("Reshape", None, g.weight("back", numpy.array([0, 8, 6, 6])))
    g.add("Mul", None, positive("g.weight", 1, 8, 1, 1))
    g.add("Add", None, g.weight("g.bias", weights(8, 1, 1)))
    g.add("Tanh")
    g.add("Reshape", None, g.weight("all", numpy.array([0, 1, -1])))
    g.add("InstanceNormalization", None, positive("all.weight", 1),
          g.weight("all.bias", weights(1)))
    g.add("Reshape", None, "back")
    g.add("Mul", None, positive("values", 8, 6, 6))
    g.add("Add", None, g.weight("more", weights(8, 6, 6)))
    g.add("Sigmoid")
    g.add("InstanceNormalization", None, positive("n.weight", 8), g.weight("n.bias", weights(8)))
    if opset >= 21:
        g.add("Relu")
        g.add("GroupNormalization", None, positive("h.weight", 8), g.weight("h.bias", weights(8)),
              num_groups=2)
    g.add("Relu")
    g.add("GlobalAveragePool")
    g.add("Flatten")
    x = g.linear("e", 7, 8)
    m = g.add("ReduceMean", x, *(["axes"] if opset >= 18 else []),
              **({} if opset >= 18 else {"axes": [-1]}))
    d = g.add("Sub", x, m)
    g.add("Mul", d, d)
    v = g.add("ReduceMean", None, *(["axes"] if opset >= 18 else []),
              **({} if opset >= 18 else {"axes": [1]}))
    r = g.add("Reciprocal", g.add("Sqrt", g.add("Add", v, one("eps2", 1e-5))))
    g.add("Mul", r, d)
    g.linear("f", 5, 7)
    return g, g.model(5)


def half():
    """Weights of 16 bits."""
    g, model = plain(13)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).astype("float16")
        tensor.CopyFrom(numpy_helper.from_array(values.astype("float32"), tensor.name))
    stored = onnx.ModelProto()
    stored.CopyFrom(model)
    for tensor in stored.graph.initializer:
        values = numpy_helper.to_array(tensor).astype("float16")
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    g.stored = stored
    return g, model


def volume():
    """An image as a volume and back."""
    g = Graph(13, image=(6, 9, 9))
    g.add("Reshape", None, g.weight("to", numpy.array([0, 1, 6, 9, 9])))
    g.add("Conv", None, g.weight("a.weight", weights(3, 1, 3, 3, 3)), pads=[1, 0, 0, 1, 0, 0],
          strides=[2, 1, 1])
    g.norm("n", 3)
    g.add("Relu")
    g.add("MaxPool", kernel_shape=[1, 2, 2], strides=[1, 2, 2])
    g.add("AveragePool", kernel_shape=[1, 1, 2], strides=[1, 1, 1])
    g.add("Reshape", None, g.weight("back", numpy.array([0, 9, 3, 2])))
    g.conv("b", 5, 9)
    g.add("GlobalAveragePool")
    g.add("Flatten")
    g.linear("c", 4, 5)
    return g, g.model(4)


GRAPHS = {
    "plain": plain,
    "plain of set 21": lambda: plain(21),
    "activations": activations,
    "bounds": lambda: bounds(16),
    "bounds of set 9": lambda: bounds(9),
    "branches": branches,
    "shapes": shapes,
    "shortcut": shortcut,
    "tensorflow": tensorflow,
    "per pixel": per_pixel,
    "groups": groups,
    "transposed": transposed,
    "normalised": normalised,
    "gates": gates,
    "shuffles": lambda: shuffles(18),
    "shuffles of set 11": lambda: shuffles(11),
    "pools": pools,
    "random numbers": random_numbers,
    "norms": lambda: norms(21),
    "norms of set 17": lambda: norms(17),
    "half": half,
    "volume": volume,
}


# ---- networks of PyTorch ----


def exports(network, images):
    import torch

    path = "model.onnx"
    modes = {
        "default": (False, {"dynamo": True}),
        "unoptimised": (False, {"dynamo": True, "optimize": False}),
        "training": (True, {"dynamo": True, "optimize": False}),
        "older": (False, {"dynamo": False}),
        "older training": (True, {"dynamo": False, "do_constant_folding": False,
                                  "training": torch.onnx.TrainingMode.TRAINING}),
    }

    def export(mode):
        is_training, options = modes[mode]
        network.train(is_training)
        if options["dynamo"]:
            options["verbose"] = False
        torch.onnx.export(network, (images,), path, **options)

    return export, list(modes)


def small(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(8, eps=1e-3, momentum=0.2)
            self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
            self.act = nn.SiLU()

        def forward(self, x):
            return self.act(x + self.conv2(torch.relu(self.bn1(self.conv1(x)))))

    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.MaxPool2d(2), Block(),
                         nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8 * 9, 12), nn.ELU(),
                         nn.Linear(12, 5)), (3, 16, 16), 5


def normed(torch):
    """Norms of images by themselves, and a block of ConvNeXt."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 5, padding=2, groups=8)
            self.norm = nn.LayerNorm(8, eps=1e-3)
            self.up, self.down = nn.Linear(8, 20), nn.Linear(20, 8)
            self.layer_scale = nn.Parameter(torch.rand(8, 1, 1) + 0.5)

        def forward(self, x):
            y = self.norm(self.conv(x).permute(0, 2, 3, 1))
            y = self.down(nn.functional.gelu(self.up(y))).permute(0, 3, 1, 2)
            return x + self.layer_scale * y

    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), Block(),
                         nn.AvgPool2d(2), nn.InstanceNorm2d(8, affine=True), nn.Tanh(),
                         nn.LayerNorm([8, 7, 7]), nn.ELU(), nn.Flatten(), nn.Linear(8 * 49, 12),
                         nn.LayerNorm(12), nn.Linear(12, 5)), (3, 16, 16), 5


def adaptive(torch):
    """Adaptive pools to more and to fewer pixels."""
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d((6, 5)), nn.Tanh(),
                         nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(4 * 49, 5)), (3, 18, 18), 5


# Those that issue trackers ask for most; sides that keep every stage above one pixel, and small
# enough for a CPU.
TORCHVISION = {
    "alexnet": 224, "vgg11": 224, "vgg11_bn": 224, "vgg16": 224, "vgg16_bn": 224, "vgg19": 224,
    "vgg19_bn": 224, "resnet18": 64, "resnet50": 64, "resnet152": 64, "wide_resnet50_2": 64,
    "resnext50_32x4d": 64, "densenet121": 64, "densenet201": 64, "inception_v3": 96,
    "googlenet": 64, "squeezenet1_0": 64, "squeezenet1_1": 64, "mobilenet_v2": 64,
    "mobilenet_v3_small": 64, "mobilenet_v3_large": 64, "mnasnet1_0": 64,
    "shufflenet_v2_x1_0": 64, "efficientnet_b0": 64, "regnet_y_400mf": 64, "convnext_tiny": 64,
}
SLIM = {"inception_v3": {"aux_logits": False, "init_weights": False},
        "googlenet": {"aux_logits": False, "init_weights": False}}


def torch_network(name):
    import torch

    torch.manual_seed(2)
    if name == "small":
        return small(torch)
    if name == "adaptive":
        return adaptive(torch)
    if name == "normed":
        return normed(torch)
    from torchvision import models
    name, _, side = name.partition("@")
    side = int(side or TORCHVISION[name])
    network = getattr(models, name)(num_classes=10, **SLIM.get(name, {}))
    return network, (3, side, side), 10


def randomise(network, images):
    """Weights by He, norms that are no identity, and statistics of the images. Norms keep
    most values away from where activations have a kink: elsewhere the gradients of deep networks
    are of how each sum was rounded, and PyTorch's own of single and double precision differ."""
    import torch
    from torch import nn

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        if hasattr(module, "layer_scale"):
            nn.init.uniform_(module.layer_scale, 0.2, 0.6)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.1, 0.25)
            nn.init.uniform_(module.bias, 0.5, 0.9)
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if type(module).__name__ == "StochasticDepth":
            module.p = 0.0
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    network.train()
    with torch.no_grad():
        network(images)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


def write_gradients(network, images, path):
    """Of double precision."""
    import torch
    from safetensors.numpy import save_file

    network.double().train()
    images = images.double()
    labels = torch.arange(len(images)) % network(images).shape[1]
    pointwise = set()  # linear layers of images, which are convolutions here

    def note(module, inputs):
        if inputs[0].ndim == 4:
            pointwise.add(module.weight)

    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(note)
    network.zero_grad()
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    save_file({n: (p.grad[..., None, None] if p in pointwise else p.grad).float().numpy()
               for n, p in network.named_parameters()}, path)


# ---- files ----


def run(model, images, path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (value,) = session.get_inputs()
    logits = session.run(None, {value.name: images})[0]
    logits.reshape(len(images), -1).astype("<f4").tofile(path)
    return logits.shape[1]


def logits_of(model):
    """The model without a softmax at its end."""
    last = model.graph.node[-1]
    if last.op_type == "Softmax":
        model.graph.output[0].name = last.input[0]
        model.graph.node.remove(last)
    return model


def write_graph(name):
    g, model = GRAPHS[name]()
    onnx.checker.check_model(model)
    images = random.normal(0, 1, (IMAGES, *g.image)).astype("float32")
    images *= numpy.arange(1, IMAGES + 1, dtype="float32")[:, None, None, None] / 2
    images.tofile("images.f32")
    fed = images.transpose(0, 2, 3, 1) if g.channels_last else images
    fed = g.feed(fed) if hasattr(g, "feed") else fed
    onnx.save(getattr(g, "stored", model), "model.onnx")
    run(logits_of(model).SerializeToString(), numpy.ascontiguousarray(fed), "theirs.f32")
    print(*g.image, g.classes)


def write_network(name):
    import copy

    import torch

    torch.set_num_threads(1)
    network, mode = name.split(":")
    network, image, classes = torch_network(network)
    images = torch.randn(IMAGES, *image)
    randomise(network, images)
    if mode in ("training", "older training"):
        write_gradients(copy.deepcopy(network), images, "gradients.safetensors")
    images.numpy().tofile("images.f32")
    export, _ = exports(network, images)
    export(mode)
    # In inference form, where the file may be that of training; the older exporter's run of the
    # network in training mode moves its statistics before they are written.
    network.eval()
    torch.onnx.export(network, (images,), "inference.onnx", dynamo=True, verbose=False)
    run("inference.onnx", images.numpy(), "theirs.f32")
    print(*image, classes)


def write_keras(_):
    """Keras's own export: channels last, norms as products and sums, padding that is not even."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    network = keras.Sequential([
        keras.Input((16, 16, 3)), layers.Conv2D(8, 3, padding="same", use_bias=False),
        layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(),
        layers.Conv2D(12, 3, strides=2, padding="same"), layers.LeakyReLU(0.2),
        layers.AveragePooling2D(2), layers.Dropout(0.2), layers.Flatten(),
        layers.Dense(20, activation="elu"), layers.Dense(5, activation="softmax")])
    for w in network.weights:
        scale = 0.5 if "var" in w.path else 0.2
        w.assign(w + random.uniform(-scale, scale, w.shape).astype("float32"))
    images = random.normal(0, 2, (IMAGES, 3, 16, 16)).astype("float32")
    images *= numpy.arange(1, IMAGES + 1, dtype="float32")[:, None, None, None]
    fed = numpy.ascontiguousarray(images.transpose(0, 2, 3, 1))
    network(fed)
    network.export("model.onnx", format="onnx", verbose=False)
    images.tofile("images.f32")
    run(logits_of(onnx.load("model.onnx")).SerializeToString(), fed, "theirs.f32")
    print(3, 16, 16, 5)


def have(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", nargs="?")
    parser.add_argument("folder", nargs="?")
    options = parser.parse_args()
    if options.folder:
        os.chdir(options.folder)
        out = sys.stdout
        sys.stdout = sys.stderr  # exporters print
        write = write_network if ":" in options.name else write_graph
        if options.name == "keras":
            write = write_keras
        lines = []
        globals()["print"] = lambda *words: lines.append(" ".join(map(str, words)))
        write(options.name)
        out.write(lines[-1] + "\n")
        return
    print("\n".join(GRAPHS))
    if have("torch") and have("onnxscript") and have("safetensors"):
        print("torch")
        if have("torchvision"):
            print("torchvision")
        os.environ["KERAS_BACKEND"] = "torch"  # which is there; the default may not be
        if have("keras"):
            print("keras")


main()
