"""What the page reads, read independently: packed arrays, and the operations of a decoder."""

import base64

import numpy as np
from scipy.special import erf, expit


def unpacked(packed):
    """The array that a mapping of type, shape and bytes stands for."""
    assert packed.keys() == {"dtype", "shape", "base64"}
    content = base64.b64decode(packed["base64"], validate=True)
    dtype = np.dtype(packed["dtype"]).newbyteorder("<")
    return np.frombuffer(content, dtype).reshape(packed["shape"])


ELEMENTWISE = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "gelu": lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "silu": lambda x: x * expit(x),
    "tanh": np.tanh,
    "sigmoid": expit,
}


def decoded(operations, inputs):
    """Pixels of inputs, shape (n, latent dimensions and classes), by loops over the kernel."""
    values = inputs.astype(np.float64)
    for operation in operations:
        match operation["op"]:
            case "linear":
                weight = unpacked(operation["weight"]).astype(np.float64)
                values = values @ weight.T + unpacked(operation["bias"])
            case "reshape":
                values = values.reshape(-1, *operation["shape"])
            case "conv_transpose":
                values = conv_transpose(values, operation)
            case name:
                assert operation == {"op": name}
                values = ELEMENTWISE[name](values)
    return values


def conv_transpose(values, operation):
    """Each value spread over the pixels that its kernel reaches, the padding then cut off."""
    weight = unpacked(operation["weight"]).astype(np.float64)
    stride, padding = operation["stride"], operation["padding"]
    n, _, side, _ = values.shape
    outputs, kernel = weight.shape[1:3]
    whole = (side - 1) * stride + kernel + operation["output_padding"]
    spread = np.zeros((n, outputs, whole, whole))
    for row in range(kernel):
        for column in range(kernel):
            part = np.einsum("nirc,io->norc", values, weight[:, :, row, column])
            end = (side - 1) * stride + 1
            spread[:, :, row : row + end : stride, column : column + end : stride] += part
    inner = spread[:, :, padding : whole - padding, padding : whole - padding]
    return inner + unpacked(operation["bias"])[:, None, None]
