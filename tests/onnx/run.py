"""Checks FOLDER/model.onnx by onnx's checker, runs it by onnxruntime on the CPU for the images of
FOLDER/images.f32 (float32; images, channels, height, width), all at once and one by one, and writes
what it gives to FOLDER/theirs.f32. Fails where a batch changes the result, or where what the file
says of itself is not what is expected."""

import argparse
import os

import numpy
import onnx
import onnxruntime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("shape", type=int, nargs=4, help="images, channels, height, width")
    parser.add_argument("output")
    parser.add_argument("classes", type=int)
    options = parser.parse_args()

    def path(name):
        return os.path.join(options.folder, name)

    model = onnx.load(path("model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    unused = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        unused -= set(node.input)
    assert not unused, f"nothing reads {unused}"

    options_of_session = onnxruntime.SessionOptions()
    options_of_session.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path("model.onnx"), options_of_session,
                                           providers=["CPUExecutionProvider"])
    (images_info,), (output_info,) = session.get_inputs(), session.get_outputs()
    assert images_info.name == "images", images_info.name
    assert images_info.shape == ["batch", *options.shape[1:]], images_info.shape
    assert output_info.name == options.output, output_info.name
    assert output_info.shape == ["batch", options.classes], output_info.shape

    images = numpy.fromfile(path("images.f32"), "<f4").reshape(options.shape)
    (together,) = session.run(None, {"images": images})
    for image, row in zip(images, together):
        (alone,) = session.run(None, {"images": image[None]})
        assert numpy.allclose(alone, row[None], rtol=1e-5, atol=1e-5), abs(alone - row).max()
    together.astype("<f4").tofile(path("theirs.f32"))


main()
