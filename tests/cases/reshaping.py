"""Cases of the layers that move, repeat, pad and cut elements."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case

FIRST = {"data_format": "channels_first"}
FLATTEN = {"type": "Flatten"}
DENSE = {"type": "Dense", "units": 4}
POOL = {"type": "GlobalAveragePooling2D"}


def conv(filters: int, **options: Any) -> dict[str, Any]:
    """A 3 x 3 convolution."""
    return {"type": "Conv2D", "filters": filters, "kernel_size": 3, **options}


def reshape(*target: int) -> dict[str, Any]:
    """An entry of a Reshape."""
    return {"type": "Reshape", "target_shape": list(target)}


def permute(*dims: int) -> dict[str, Any]:
    """An entry of a Permute."""
    return {"type": "Permute", "dims": list(dims)}


def case(*layers: dict[str, Any], shape: tuple[Any, ...], **options: Any) -> Case:
    """A chain, named after its types."""
    name = "-".join(layer.get("type", "op") for layer in layers) + "-" + "x".join(map(str, shape))
    last = layers[-1]
    options.setdefault("name", f"{name}-{last.get('target_shape') or last.get('dims') or ''}")
    return Case(list(layers), shape, **options)


CASES = [
    # Flatten reads height, width, channels (T1), also where nothing undoes it.
    Case(FLATTEN, (4, 5, 3)),
    Case(FLATTEN, (4,)),
    Case(FLATTEN, ()),
    Case(FLATTEN, (4, None, 3)),
    Case(FLATTEN, (2, 3, 4), dtypes=("int32",)),
    Case(FLATTEN | FIRST, (4, 5, 3)),
    case(conv(5, **FIRST), FLATTEN | FIRST, DENSE, shape=(3, 5, 6), name="Flatten-first-Dense"),
    case(conv(5, **FIRST), FLATTEN, DENSE, shape=(3, 5, 6), name="Flatten-last-Dense"),
    case(conv(4), FLATTEN, {"type": "Activation", "activation": "tanh"}, DENSE, shape=(5, 6, 3)),
    case(conv(4), FLATTEN, shape=(5, 6, 3)),
    case(conv(1), FLATTEN, DENSE, shape=(5, 6, 3)),
    case(conv(1), FLATTEN, shape=(5, None, 3), sizes=(7,)),
    case({"type": "Conv1D", "filters": 4, "kernel_size": 2}, FLATTEN, DENSE, shape=(6, 3)),
    case(conv(4), FLATTEN, reshape(3, 4, 4), conv(2), shape=(5, 6, 3)),
    case(conv(4), FLATTEN, reshape(6, 8), shape=(5, 6, 3)),
    case(conv(4), FLATTEN, {"type": "RepeatVector", "n": 3}, shape=(5, 6, 3)),
    # A pooling whose axes come back keeps them.
    case(conv(4), POOL, reshape(1, 1, 4), conv(3, kernel_size=1), shape=(5, 6, 3), permutes=0),
    case(conv(4), POOL, reshape(1, 1, 4), DENSE, shape=(5, 6, 3)),
    case(conv(4), POOL, reshape(4, 1, 1), conv(3, kernel_size=1), shape=(5, 6, 3)),
    case(
        conv(4, name="c"),
        {"type": "GlobalMaxPooling2D", "name": "pool"},
        reshape(1, 1, 4) | {"name": "wide"},
        {"op": "multiply", "inputs": ["c", "wide"], "name": "scaled"},
        {"type": "Flatten", "name": "flat"},
        {"type": "Concatenate", "inputs": ["flat", "pool"]},
        shape=(5, 6, 3),
        name="pool-read-twice",
    ),
    # The features of a Dense become an image: its weights are put in the image's order.
    case(
        {"type": "Dense", "units": 60, "use_bias": False},
        {"type": "BatchNormalization"},
        {"type": "LeakyReLU"},
        reshape(4, 5, 3),
        {"type": "Conv2DTranspose", "filters": 2, "kernel_size": 3, "strides": 2},
        shape=(5,),
        permutes=0,
    ),
    case(
        conv(2),
        FLATTEN,
        {"type": "Dense", "units": 24, "activation": "softplus"},
        {"type": "PReLU"},
        reshape(2, 4, 3),
        conv(2, padding="same"),
        shape=(5, 4, 3),
        permutes=0,
    ),
    case(
        {"type": "Dense", "units": 48, "kernel_initializer": "identity", "bias_regularizer": "l2"},
        {"type": "LayerNormalization"},
        reshape(2, 2, 4, 3),
        {"type": "Conv3D", "filters": 2, "kernel_size": 2},
        shape=(3,),
        permutes=0,
    ),
    case(
        {"type": "Dense", "units": 24, "kernel_initializer": "orthogonal"},
        reshape(8, 3),
        {"type": "Conv1D", "filters": 2, "kernel_size": 3},
        {"type": "GlobalAveragePooling1D"},
        shape=(5,),
        permutes=0,
    ),
    # Reshape keeps Keras's order of elements whatever stands around it.
    Case(reshape(6, 2), (3, 4)),
    Case(reshape(-1), (3, 4)),
    Case(reshape(2, -1, 3), (12,), dtypes=("int32",)),
    Case(reshape(-1, 3), (None, 4, 3)),
    Case(reshape(4, -1, 3), (None, 4, 3)),
    Case(reshape(), (1,)),
    Case(reshape(1, 1), ()),
    Case(reshape(4, 5, 3), (60,)),
    Case(reshape(5, 4, 3), (4, 5, 3)),
    Case(reshape(3, 20), (4, 5, 3)),
    case(conv(4), reshape(-1, 4), DENSE, shape=(5, 6, 3)),
    case(conv(4), reshape(3, 16), shape=(5, 6, 3)),
    case(conv(4), reshape(2, 6, 4), conv(2, padding="same"), shape=(5, 6, 3)),
    case(conv(4), reshape(6, 2, 4, 1), shape=(5, 6, 3)),
    case(conv(1), reshape(3, 4), DENSE, shape=(5, 6, 3)),
    case(conv(1), reshape(2, 2, 3), conv(2, padding="same"), shape=(5, 6, 3)),
    case(DENSE, reshape(1, 1, 4), conv(2, padding="same"), shape=(6,)),
    case(DENSE, reshape(2, 2, 1), conv(2, padding="same"), shape=(6,)),
    case(DENSE, reshape(1, 2, 2), conv(2, padding="same"), shape=(6,)),
    case(reshape(6, 4, 1), conv(2), shape=(6, 4)),
    case(conv(4, padding="same"), reshape(-1, 6, 4), conv(2), shape=(None, 3, 3), sizes=(8,)),
    # Permute counts axes from 1.
    Case(permute(2, 1), (3, 4)),
    Case(permute(1), (3,)),
    Case(permute(1, 2), (3, 4)),
    Case(permute(2, 1, 3), (3, 4, 5)),
    Case(permute(3, 1, 2), (3, 4, 5)),
    Case(permute(2, 3, 1), (3, 4, 5)),
    Case(permute(3, 2, 1), (3, 4, 5)),
    Case(permute(1, 3, 2), (3, None, 5), dtypes=("int32",)),
    Case(permute(4, 1, 2, 3), (2, 3, 4, 5)),
    Case(permute(3, 1, 4, 2), (2, 3, 4, 5)),
    case(conv(4), permute(2, 1, 3), conv(2), shape=(6, 7, 3)),
    case(conv(4), permute(3, 1, 2), FLATTEN, DENSE, shape=(6, 7, 3)),
    case(permute(2, 3, 1), conv(4), shape=(3, 6, 7)),
    case(permute(2, 1), {"type": "Conv1D", "filters": 4, "kernel_size": 2}, shape=(3, 6)),
    case({"type": "Conv1D", "filters": 4, "kernel_size": 2}, permute(2, 1), DENSE, shape=(6, 3)),
    Case({"type": "RepeatVector", "n": 3}, (4,)),
    case(
        {"type": "RepeatVector", "n": 3},
        {"type": "Conv1D", "filters": 4, "kernel_size": 2},
        shape=(5,),
    ),
    # F.pad counts axes from the last (T8).
    Case({"type": "ZeroPadding1D", "padding": [2, 1]}, (4, 3)),
    Case({"type": "ZeroPadding1D", **FIRST}, (3, None)),
    Case({"type": "ZeroPadding2D", "padding": [[1, 2], [3, 0]]}, (4, 5, 3)),
    Case({"type": "ZeroPadding2D", "padding": [2, [0, 1]], **FIRST}, (3, 4, None)),
    Case({"type": "ZeroPadding2D", "padding": 0}, (4, 5, 3)),
    Case({"type": "ZeroPadding3D", "padding": [1, [2, 0], [0, 3]]}, (2, 3, 4, 2)),
    case({"type": "ZeroPadding2D", "padding": 3}, conv(4, strides=2), shape=(6, 7, 3)),
    case({"type": "ZeroPadding2D", "padding": [2, 1]}, conv(4), shape=(None, 7, 3)),
    Case(
        [
            {"type": "ZeroPadding2D", "name": "pad"},
            conv(4, name="a"),
            conv(4, name="b", inputs="pad", padding="same"),
        ],
        (6, 7, 3),
        outputs=["pad", "a", "b"],
        name="ZeroPadding2D-read-by-others",
    ),
    case(
        {"type": "ZeroPadding2D", "padding": [[0, 1], [0, 1]]},
        {"type": "DepthwiseConv2D", "kernel_size": 3, "strides": 2},
        shape=(6, 8, 3),
    ),
    Case({"type": "ZeroPadding1D"}, (6, 3), dtypes=("int32",)),
    Case({"type": "Cropping1D", "cropping": [2, 1]}, (6, 3), dtypes=("bool",)),
    Case({"type": "Cropping1D", "cropping": [0, 2]}, (None, 3)),
    Case({"type": "Cropping2D", "cropping": [[1, 2], [0, 1]]}, (6, 7, 3)),
    Case({"type": "Cropping2D", "cropping": [1, [2, 0]], **FIRST}, (3, None, 7)),
    Case({"type": "Cropping2D"}, (6, 7, 3)),
    Case({"type": "Cropping3D", "cropping": [1, [1, 0], [0, 2]]}, (4, 3, 5, 2)),
    # Nearest repeats; bilinear is PyTorch's with align_corners=False (T9).
    Case({"type": "UpSampling1D", "size": 3}, (4, 2)),
    Case({"type": "UpSampling2D"}, (4, 3, 2)),
    Case({"type": "UpSampling2D"}, (4, 3, 2), dtypes=("uint8",)),
    Case({"type": "RepeatVector", "n": 2}, (4,), dtypes=("int64",)),
    Case({"type": "UpSampling2D", "size": [3, 5]}, (None, 3, 2)),
    Case({"type": "UpSampling2D", "size": [41, 2]}, (3, 3, 2)),
    Case({"type": "UpSampling2D", "size": 2, "interpolation": "bilinear"}, (4, 3, 2)),
    Case({"type": "UpSampling2D", "size": [3, 4], "interpolation": "bilinear", **FIRST}, (2, 4, 5)),
    Case({"type": "UpSampling2D", "size": [3, 1], **FIRST}, (2, None, 3)),
    Case({"type": "UpSampling2D", "interpolation": "bicubic"}, (4, 3, 2)),
    Case({"type": "UpSampling2D", "size": [3, 7], "interpolation": "bicubic"}, (None, 5, 2)),
    Case({"type": "UpSampling2D", "size": 3, "interpolation": "lanczos3", **FIRST}, (2, 7, 5)),
    Case({"type": "UpSampling2D", "size": [2, 5], "interpolation": "lanczos5"}, (4, 8, 2)),
    Case({"type": "UpSampling3D", "size": [1, 2, 3]}, (2, 3, 2, 2)),
]
