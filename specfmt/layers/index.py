"""Every layer type and the module of its family; a test holds it against the modules."""

from __future__ import annotations

from typing import Final

FAMILIES: Final[dict[str, str]] = {
    "core": "Dense Activation Embedding Masking Identity",
    "convolutional": (
        "Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose DepthwiseConv1D DepthwiseConv2D "
        "SeparableConv1D SeparableConv2D"
    ),
    "pooling": (
        "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D "
        "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D "
        "GlobalAveragePooling2D GlobalAveragePooling3D"
    ),
    "recurrent": "SimpleRNN LSTM GRU",
    "wrappers": "Bidirectional TimeDistributed",
    "attention": "Attention AdditiveAttention MultiHeadAttention",
    "normalization": (
        "BatchNormalization LayerNormalization GroupNormalization UnitNormalization "
        "RMSNormalization"
    ),
    "preprocessing": "Rescaling Normalization",
    "regularization": (
        "Dropout SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout"
    ),
    "reshaping": (
        "Flatten Reshape Permute RepeatVector ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D "
        "UpSampling1D UpSampling2D"
    ),
    "merging": "Add Subtract Multiply Average Maximum Minimum Concatenate Dot",
    "activations": "ReLU LeakyReLU PReLU ELU Softmax",
    "custom": "Custom",
}

INDEX: Final[dict[str, str]] = {
    name: family for family, names in FAMILIES.items() for name in names.split()
}

OPERATIONS: Final[dict[str, str]] = {
    "add": "Add",
}
"""`keras.ops` name -> class in ``specfmt.layers.operations``."""
