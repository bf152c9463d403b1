"""Names of Keras 3.15 that specfmt may not define: all layers, and functions with their reasons.

They distinguish what only Keras has from a typo.  Tests compare both with Keras.
"""

from __future__ import annotations

from typing import Final

KERAS_LAYERS: Final = frozenset(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
    AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
    AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization
    Bidirectional CategoryEncoding CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose
    Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose
    Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D
    Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout
    ELU EinsumDense Embedding Equalization Flatten FlaxLayer GRU GRUCell GaussianDropout
    GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D
    GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization
    GroupQueryAttention HashedCrossing Hashing Identity InputLayer InputSpec IntegerLookup
    JaxLayer LSTM LSTMCell Lambda Layer LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes
    MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram
    Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline
    RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
    RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation
    RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector
    Rescaling Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D
    SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax Solarization
    SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells
    StringLookup Subtract TFSMLayer TextVectorization TimeDistributed TorchModuleWrapper
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D Wrapper ZeroPadding1D ZeroPadding2D
    ZeroPadding3D
    """.split()
)
"""Classes of `keras.layers`, aliases included."""

_OF_FUNCTIONS: Final = (
    "its argument is a function, which a spec cannot contain; write a layer class"
)
_OF_VALUES: Final = "it returns a Python value, not a tensor of the graph"
_OF_NUMBERS: Final = (
    "it takes no tensor, so Keras puts its result into the operation that reads it; write the "
    "numbers there as {const: {value: [...], dtype: float32}}"
)

NOT_IN_GRAPHS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "associative_scan cond custom_gradient fori_loop jvp map scan switch vectorize "
            "vectorized_map while_loop"
        ).split(),
        _OF_FUNCTIONS,
    ),
    **dict.fromkeys("convert_to_numpy dtype is_tensor ndim shape size".split(), _OF_VALUES),
    **dict.fromkeys(
        (
            "arange bartlett blackman empty eye hamming hanning identity kaiser ones tri zeros"
        ).split(),
        _OF_NUMBERS,
    ),
    "nonzero": "the size of its result depends on the values, so no layer after it has a shape",
    "unique": "the size of its result depends on the values, so no layer after it has a shape",
    "argpartition": (
        "on TensorFlow, Keras compares whole numbers only and mixes the samples; use argsort"
    ),
    "conv_transpose": (
        "Keras's class passes its arguments in the wrong order, so no model with it runs; use the "
        "layers Conv1DTranspose to Conv3DTranspose"
    ),
    "histogram": "Keras's class calls a function that TensorFlow's backend does not have",
    "rearrange": (
        "Keras cannot compute it for a batch of unknown size; use the operations reshape and "
        "transpose"
    ),
    "view_as_complex": (
        "Keras's class fails on TensorFlow, which multiplies no float by an imaginary number"
    ),
}
"""Functions of `keras.ops` that specfmt does not define, and why they are no operation of a model."""
