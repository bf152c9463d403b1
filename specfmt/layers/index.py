"""Every layer type and the module of its family; a test compares it with the modules."""

from __future__ import annotations

from typing import Final

FAMILIES: Final[dict[str, str]] = {
    "core": "Dense Activation Embedding ReversibleEmbedding Masking Identity",
    "einsum_dense": "EinsumDense",
    "convolutional": (
        "Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose DepthwiseConv1D "
        "DepthwiseConv2D "
        "SeparableConv1D SeparableConv2D"
    ),
    "pooling": (
        "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D "
        "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D "
        "GlobalAveragePooling2D GlobalAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D "
        "AdaptiveMaxPooling3D AdaptiveAveragePooling1D AdaptiveAveragePooling2D "
        "AdaptiveAveragePooling3D"
    ),
    "recurrent": "SimpleRNN LSTM GRU",
    "recurrent_cells": "SimpleRNNCell LSTMCell GRUCell StackedRNNCells RNN",
    "convolutional_recurrent": "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
    "wrappers": "Bidirectional TimeDistributed SpectralNormalization",
    "attention": "Attention AdditiveAttention MultiHeadAttention GroupQueryAttention",
    "normalization": (
        "BatchNormalization LayerNormalization GroupNormalization UnitNormalization "
        "RMSNormalization"
    ),
    "preprocessing": "Rescaling Normalization",
    "preprocessing_categories": (
        "StringLookup IntegerLookup TextVectorization Discretization CategoryEncoding Hashing "
        "HashedCrossing"
    ),
    "preprocessing_images": (
        "Resizing CenterCrop RandomFlip RandomRotation RandomTranslation RandomZoom "
        "RandomContrast RandomBrightness"
    ),
    "preprocessing_colors": (
        "RandomSaturation RandomHue RandomSharpness RandomColorJitter RandomColorDegeneration "
        "RandomGrayscale RandomInvert RandomPosterization AutoContrast Equalization Solarization "
        "ContrastLimitedAdaptiveHistogramEqualization"
    ),
    "preprocessing_distortions": (
        "RandomCrop RandomShear RandomPerspective RandomErasing RandomGaussianBlur "
        "RandomElasticTransform"
    ),
    "preprocessing_augmentation": ("CutMix MixUp AugMix RandAugment Pipeline MaxNumBoundingBoxes"),
    "spectrograms": "STFTSpectrogram MelSpectrogram",
    "regularization": (
        "Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise "
        "GaussianDropout AlphaDropout ActivityRegularization"
    ),
    "reshaping": (
        "Flatten Reshape Permute RepeatVector ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D "
        "Cropping2D Cropping3D UpSampling1D UpSampling2D UpSampling3D"
    ),
    "merging": "Add Subtract Multiply Average Maximum Minimum Concatenate Dot",
    "activations": "ReLU LeakyReLU PReLU ELU Softmax",
    "applications": "LayerScale CustomScaleLayer",
    "custom": "Custom",
}

INDEX: Final[dict[str, str]] = {
    name: family for family, names in FAMILIES.items() for name in names.split()
}

OPERATION_FAMILIES: Final[dict[str, str]] = {
    "operations": (
        "add subtract multiply divide true_divide floor_divide mod power maximum minimum arctan2 "
        "equal not_equal greater greater_equal less less_equal logical_and logical_or logical_xor "
        "logical_not where negative absolute square sqrt rsqrt reciprocal exp expm1 log log1p log2 "
        "log10 sin cos tan sinh cosh tanh arcsin arccos arctan sign floor ceil round clip erf cast "
        "convert_to_tensor "
        "zeros_like ones_like"
    ),
    "elementary_operations": (
        "arcsinh arccosh arctanh exp2 cbrt trunc erfinv isnan isinf isfinite nan_to_num full_like "
        "logaddexp hypot divide_no_nan bitwise_and bitwise_or bitwise_xor stop_gradient copy"
    ),
    "number_operations": (
        "fabs sinc erfc angle deg2rad rad2deg i0 signbit isneginf isposinf isreal real imag "
        "conjugate bitwise_invert bitwise_not bitwise_left_shift bitwise_right_shift left_shift "
        "right_shift gcd lcm fmax fmin fmod heaviside logaddexp2 ldexp isclose polar view view_as_real"
    ),
    "fourier_operations": "fft fft2 ifft2 rfft irfft stft istft extract_sequences",
    "activation_operations": (
        "relu relu6 sigmoid softmax log_softmax gelu silu elu selu celu leaky_relu hard_sigmoid "
        "hard_silu hard_tanh log_sigmoid softplus softsign soft_shrink hard_shrink tanh_shrink "
        "glu sparsemax sparse_plus sparse_sigmoid squareplus threshold"
    ),
    "reductions": "sum mean max min prod std var any all argmax argmin logsumexp norm cumsum",
    "statistics": "amax amin average moments count_nonzero median ptp normalize cumprod",
    "nan_operations": (
        "nanmax nanmin nansum nanprod nanmean nanstd nanvar nanargmax nanargmin nancumsum "
        "nancumprod nanmedian quantile percentile nanquantile nanpercentile"
    ),
    "order_operations": (
        "sort argsort top_k take_along_axis unstack tril triu diagonal trace diff ravel"
    ),
    "image_operations": ("depth_to_space space_to_depth resize rgb_to_grayscale extract_patches"),
    "window_operations": "max_pool average_pool adaptive_average_pool adaptive_max_pool",
    "convolution_operations": "conv depthwise_conv separable_conv unfold fold",
    "normalization_operations": "batch_normalization layer_normalization rms_normalization",
    "loss_operations": (
        "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy ctc_loss "
        "ctc_decode psnr in_top_k multi_hot"
    ),
    "array_operations": (
        "reshape transpose squeeze expand_dims concatenate stack flip repeat tile broadcast_to "
        "swapaxes moveaxis pad roll split"
    ),
    "arrangement_operations": (
        "hstack vstack dstack append hsplit vsplit dsplit array_split fliplr flipud rot90 outer "
        "inner vdot cross slice slice_update digitize saturate_cast"
    ),
    "matrix_operations": (
        "diag diagflat kron vander cdist corrcoef correlate trapezoid meshgrid allclose nextafter"
    ),
    "index_operations": (
        "searchsorted isin bincount segment_sum segment_max segment_min segment_prod scatter "
        "scatter_update select unravel_index"
    ),
    "creation_operations": "linspace logspace geomspace full empty_like array",
    "product_operations": "getitem take one_hot matmul dot einsum",
    "linalg_operations": (
        "det logdet slogdet inv cholesky cholesky_inverse eigh qr svd pinv matrix_rank solve "
        "solve_triangular lstsq lu_factor eig"
    ),
    "attention_operations": "tensordot dot_product_attention",
}
"""Module in this package -> the functions of `keras.ops` that it defines."""

ALIASES: Final[dict[str, str]] = {
    "abs": "absolute",
    "conj": "conjugate",
    "get_item": "getitem",
    "swish": "silu",
    "hard_swish": "hard_silu",
}
"""Alias of a function of `keras.ops` -> the name under which Keras records it."""


IRREGULAR_CLASSES: Final[dict[str, str]] = {
    "allclose": "AllClose",
    "batch_normalization": "BatchNorm",
    "cdist": "CDist",
    "ctc_decode": "CTCDecode",
    "ctc_loss": "CTCLoss",
    "fft": "FFT",
    "fft2": "FFT2",
    "getitem": "GetItem",
    "ifft2": "IFFT2",
    "irfft": "IRFFT",
    "isin": "IsIn",
    "istft": "ISTFT",
    "layer_normalization": "LayerNorm",
    "psnr": "PSNR",
    "rfft": "RFFT",
    "rms_normalization": "RMSNorm",
    "searchsorted": "SearchSorted",
    "stft": "STFT",
    "svd": "SVD",
    "rgb_to_grayscale": "RGBToGrayscale",
}
"""Functions whose Keras class is not the function's name in camel case."""


def _class_name(function: str) -> str:
    """Keras's class of a function of `keras.ops`: ``log_softmax`` -> ``LogSoftmax``."""
    if function in IRREGULAR_CLASSES:
        return IRREGULAR_CLASSES[function]
    return "".join(part.capitalize() for part in function.split("_"))


OPERATIONS: Final[dict[str, str]] = {
    name: _class_name(name) for names in OPERATION_FAMILIES.values() for name in names.split()
}
"""`keras.ops` name -> class name; `OPERATION_MODULES` holds the class's module."""

OPERATION_MODULES: Final[dict[str, str]] = {
    OPERATIONS[name]: module
    for module, names in OPERATION_FAMILIES.items()
    for name in names.split()
}

for _alias, _name in ALIASES.items():
    OPERATIONS[_alias] = OPERATIONS[_name]
