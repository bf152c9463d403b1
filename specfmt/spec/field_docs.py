"""What each field means, for hover, completion and docs: one line a field name.

A name means the same in every class unless ``Class.field`` says otherwise; ``Class`` may be
a base class.  Words of the vocabulary and the ``train:`` section are in `field_docs_words`.
"""

from __future__ import annotations

from pydantic import BaseModel

from specfmt.spec.field_docs_words import WORD_DOCS

_LAYER_DOCS: dict[str, str] = {
    # -- the document
    "specfmt": "Version of the spec language: 1.",
    "description": "What the model does, in a sentence; becomes the docstring of generated code.",
    "style": (
        "How Keras holds the model: sequential or functional; null lets the model decide. "
        "Imported models keep theirs."
    ),
    "layers": "The entries in order; each reads the one before it unless it has `inputs`.",
    "outputs": (
        "What the model returns: a tensor name, or a list or mapping of them, which may nest; "
        "the last layer if left out."
    ),
    "input_structure": "How the model takes several inputs: lists and mappings of their names; "
    "one after the other if left out.",
    "train": "How the model is trained: data, loss, optimizer and how long.",
    "ModelSpec.name": "The model's name.",
    "ModelSpec.inputs": "The model's inputs: {name: {shape: [...]}}.",
    "ModelSpec.trainable": "Whether training changes any weight of the model.",
    "ModelSpec.dtype": "The model's dtype or dtype policy, such as mixed_float16.",
    "Model.name": "The nested model's name, by which others read its output or call it again.",
    "Model.inputs": "The nested model's own inputs: {name: {shape: [...]}}.",
    "Model.call": "What it reads: a tensor name, a list of names, or {its input: tensor name}.",
    "Model.trainable": "Whether training changes any weight of the nested model.",
    "InputSpec.shape": "Sizes without the batch axis; null is a size not known until run time.",
    "InputSpec.dtype": "The dtype of the input's elements.",
    "InputSpec.batch_size": "A fixed number of samples a batch; any number if null.",
    "InputSpec.sparse": "The input is a sparse tensor.",
    "InputSpec.ragged": "The input is a ragged tensor, which the Keras target alone can take.",
    "InputSpec.optional": "The input may be None when the model is called.",
    "reuse": "The name of the layer or model to call again, sharing its weights.",
    "Reuse.name": "The name of this call's output.",
    # -- every layer
    "name": "The layer's name; Keras's automatic one (dense, dense_1, ...) if left out.",
    "inputs": (
        "What it reads: a tensor name, a list of names, or {call argument: name}; "
        "the entry before it if left out. `name:1` is a layer's second output."
    ),
    "activity_regularizer": "A penalty on the layer's output, added to the loss.",
    "trainable": "Whether training changes the layer's weights.",
    "dtype": "A dtype for weights and computation, or a policy such as mixed_float16.",
    # -- weights, whichever layer has them
    "units": "The size of the output's last axis.",
    "activation": "The function applied to the output; linear changes nothing.",
    "use_bias": "Whether a bias is added.",
    "kernel_initializer": "How the kernel starts.",
    "bias_initializer": "How the bias starts.",
    "kernel_regularizer": "A penalty on the kernel, added to the loss.",
    "bias_regularizer": "A penalty on the bias, added to the loss.",
    "kernel_constraint": "What the kernel is held to after every step of the optimizer.",
    "bias_constraint": "What the bias is held to after every step of the optimizer.",
    "lora_rank": "Train two factors of this rank in place of the frozen matrix (LoRA).",
    "lora_alpha": "LoRA's product is scaled by `lora_alpha / lora_rank`; by 1 if null.",
    "quantization_config": "What `layer.quantize()` would do; nothing is quantized by itself.",
    "seed": "Makes the random draws repeatable; null is a new seed each run.",
    # -- core
    "Activation.activation": "The function to apply.",
    "Embedding.input_dim": "The number of rows: the largest whole number in the input plus 1.",
    "Embedding.output_dim": "The length of a row.",
    "embeddings_initializer": "How the table starts.",
    "embeddings_regularizer": "A penalty on the table, added to the loss.",
    "embeddings_constraint": "What the table is held to after every step of the optimizer.",
    "mask_zero": "Whether the number 0 is padding, which later layers pass over.",
    "mask_value": "A step whose features all equal this is passed over by later layers.",
    "class_": "The dotted path to the class: package.module.Class.",
    "config": "The class's keyword arguments, as its `get_config` returns them.",
    "registered_name": "The name under which Keras has the class registered, if it has.",
    "build_config": "What Keras needs to build the layer's weights again.",
    "output_dtype_": "The output's dtype; the layer's compute dtype if left out.",
    "Custom.shape": "The output's shape without the batch axis; a list of shapes if it has several.",
    "weights_": "The shape of each weight, in Keras's order; import takes them from the file.",
    "Custom.define": "The operations that compute what the layer does; they read `x`, `y`, `z`.",
    "Custom.torch": "The PyTorch class that computes the same: package.module.Class.",
    # -- convolutions and pooling
    "filters": "The number of output channels.",
    "kernel_size": "The window's size: an integer, or one for each spatial axis.",
    "strides": "The step of the window: an integer, or one for each spatial axis.",
    "padding": "valid takes no element beyond the edge; same pads with zeros so that stride 1 "
    "keeps the size.",
    "Conv1D.padding": (
        "valid takes no step beyond the edge; same pads both ends with zeros; causal pads the "
        "beginning alone, so that no step sees a later one."
    ),
    "output_padding": "Extra size at the end of each spatial axis, less than the stride; chosen "
    "by `padding` if null.",
    "data_format": (
        "channels_last (N, ..., C) or channels_first (N, C, ...); null is Keras's setting, "
        "channels_last."
    ),
    "dilation_rate": "The distance between a kernel's elements: 1 has no gaps.",
    "groups": "Into how many groups channels are split; each has filters of its own.",
    "depth_multiplier": "Output channels of the depthwise step for each input channel.",
    "depthwise_initializer": "How the depthwise kernel starts.",
    "depthwise_regularizer": "A penalty on the depthwise kernel, added to the loss.",
    "depthwise_constraint": "What the depthwise kernel is held to after every step.",
    "pointwise_initializer": "How the 1 x 1 kernel starts.",
    "pointwise_regularizer": "A penalty on the 1 x 1 kernel, added to the loss.",
    "pointwise_constraint": "What the 1 x 1 kernel is held to after every step.",
    "pool_size": "The window's size: an integer, or one for each spatial axis.",
    "Pool.strides": "The step of the window; the window's size if null.",
    "keepdims": "Keep the pooled axes, with size 1.",
    # -- recurrent layers and wrappers
    "Recurrent.units": "The size of the state and of the output.",
    "Recurrent.activation": "The function applied to the candidate state and output.",
    "ConvLSTM.filters": "The number of channels of the state and of the output.",
    "ConvLSTM.strides": "The step of the input's window; the state's has a step of 1.",
    "ConvLSTM.padding": "Of the input's convolution: valid takes no element beyond the edge; same "
    "pads with zeros. The state's convolution keeps the size.",
    "ConvLSTM.data_format": (
        "channels_last (N, T, ..., C) or channels_first (N, T, C, ...); null is Keras's setting, "
        "channels_last."
    ),
    "ConvLSTM.dilation_rate": "The distance between the elements of the input's kernel.",
    "recurrent_activation": "The function of the gates.",
    "recurrent_initializer": "How the recurrent kernel (state to state) starts.",
    "recurrent_regularizer": "A penalty on the recurrent kernel, added to the loss.",
    "recurrent_constraint": "What the recurrent kernel is held to after every step.",
    "unit_forget_bias": "Start the forget gate's bias at 1, so that memory lasts at first.",
    "dropout": "The fraction of the input that is dropped in training.",
    "recurrent_dropout": "The fraction of the state that is dropped in training.",
    "return_sequences": "Return the output of every step, not just the last one's.",
    "return_state": "Return the last states too: they are the outputs `name:1`, `name:2`.",
    "go_backwards": "Read the sequence from its end; the output is in that order too.",
    "stateful": "Begin each batch with the states that the one before it ended with.",
    "unroll": "Write the loop out: faster for short sequences, more memory.",
    "use_cudnn": "Whether to use cuDNN: auto, true or false; changes speed alone.",
    "reset_after": "Apply the reset gate after the recurrent product (cuDNN's way), not before.",
    "zero_output_for_mask": "Return zeros at masked steps, not the last output again.",
    "cell": "What makes one step: {type: LSTMCell, units: 8}, or a list of such cells.",
    "cells": "Cells one upon another, the one that reads the sequence first.",
    "layer": "The layer to wrap: {type: Name, ...}.",
    "Bidirectional.layer": "The recurrent layer that reads forwards: {type: LSTM, ...}.",
    "backward_layer": "The layer that reads backwards; a copy of `layer` if left out.",
    "merge_mode": "How both directions' outputs join: concat, sum, mul, ave, or null for both.",
    # -- attention
    "num_heads": "The number of attention heads.",
    "key_dim": "The size of each head for query and key.",
    "value_dim": "The size of each head for value; `key_dim` if null.",
    "output_shape_": "The output's last axes; the query's if null.",
    "attention_axes": "The axes that attention runs over; all but batch and features if null.",
    "flash_attention": "Whether to use flash attention: speed alone changes; null asks Keras.",
    "sliding_window": "How many steps to each side a step may look at; all if null.",
    "head_dim": "The size of each head.",
    "num_query_heads": "The number of heads of the query.",
    "num_key_value_heads": "The number of heads of key and value; query heads share them.",
    "GroupQueryAttention.dropout": "The fraction of the attention scores dropped in training.",
    "use_gate": "Multiply the result by a learned gate of the query.",
    "Attention.dropout": "The fraction of the attention scores that is dropped in training.",
    "AdditiveAttention.dropout": "The fraction of the attention scores dropped in training.",
    "MultiHeadAttention.dropout": "The fraction of the attention scores dropped in training.",
    "use_scale": "Multiply the scores by a learned weight.",
    "score_mode": "dot for the product of query and key, concat for tanh of their sum.",
    # -- normalization and preprocessing
    "axis": "The axis it works along; -1 is the last one. The batch axis counts as 0.",
    "BatchNormalization.axis": "The axis of the channels, each of which is normalized by itself.",
    "LayerNormalization.axis": "The axis or axes over which each sample is normalized.",
    "RMSNormalization.axis": "The axis or axes over which each sample is normalized.",
    "UnitNormalization.axis": "The axis or axes over which each sample gets length 1.",
    "GroupNormalization.axis": "The axis of the channels.",
    "Normalization.axis": "The axis or axes with a mean and variance of their own; null for one.",
    "GroupNormalization.groups": "How many groups of channels; -1 for one group a channel.",
    "epsilon": "A small number added to the variance, so that nothing is divided by zero.",
    "BatchNormalization.momentum": "How much of the moving averages a batch leaves as it was.",
    "center": "Add a learned `beta`.",
    "scale": "Multiply by a learned `gamma`.",
    "beta_initializer": "How beta starts.",
    "gamma_initializer": "How gamma starts.",
    "moving_mean_initializer": "How the moving mean starts.",
    "moving_variance_initializer": "How the moving variance starts.",
    "beta_regularizer": "A penalty on beta, added to the loss.",
    "gamma_regularizer": "A penalty on gamma, added to the loss.",
    "beta_constraint": "What beta is held to after every step of the optimizer.",
    "gamma_constraint": "What gamma is held to after every step of the optimizer.",
    "renorm": "Batch renormalization: correct a batch's statistics by the moving averages.",
    "renorm_clipping": "Limits of renormalization's corrections: {rmax, rmin, dmax}.",
    "renorm_momentum": "How much of renormalization's moving averages a batch leaves as it was.",
    "synchronized": "Take a batch's statistics over all devices.",
    "rms_scaling": "Divide by the root mean square alone, without subtracting the mean.",
    "Rescaling.scale": "What the input is multiplied by, such as 1/255 = 0.00392156862745098.",
    "Rescaling.offset": "What is added after that.",
    "Normalization.mean": "The mean to subtract, a number or one for each element of `axis`.",
    "Normalization.variance": "The variance to divide by the root of, a number or one an element.",
    "invert": "Do the reverse: multiply by the standard deviation, then add the mean.",
    "max_tokens": "The most numbers that the vocabulary may have, the special ones included.",
    "num_oov_indices": "How many numbers stand for what is not in the vocabulary.",
    "mask_token": "What number 0 stands for; vectors have no place for it.",
    "oov_token": "What stands for everything that is not in the vocabulary.",
    "vocabulary": "The tokens in the order of their numbers; what `adapt()` found.",
    "idf_weights": "The weight of each token of the vocabulary, for output_mode tf_idf.",
    "Categorical.invert": "Do the reverse: numbers into tokens.",
    "output_mode": "What a call gives: int numbers; one_hot, multi_hot, count and tf_idf give vectors.",
    "pad_to_max_tokens": "Vectors have `max_tokens` elements, however small the vocabulary is.",
    "Categorical.sparse": "Give sparse vectors, which the Keras target alone can.",
    "Categorical.ragged": "Give rows of different lengths, which the Keras target alone can.",
    "encoding": "How the strings are encoded.",
    "salt": "A key, or a pair of them, for another hash.",
    "vocabulary_dtype": "The dtype of the vocabulary.",
    "oov_method": "How unknown numbers are spread: floormod or farmhash.",
    "TextVectorization.standardize": "What is done to texts first: letters lowered, punctuation taken out.",
    "split": "Where texts are split into tokens: whitespace, character; nowhere if null.",
    "ngrams": "Make tokens of up to so many neighbours, or of each of these numbers of them.",
    "output_sequence_length": "How many numbers each text gives: cut, or filled up with 0.",
    "bin_boundaries": "The boundaries between bins in ascending order; what `adapt()` found.",
    "Discretization.num_bins": "How many bins `adapt()` shall find.",
    "Discretization.epsilon": "How exactly `adapt()` finds quantiles.",
    "num_tokens": "The number of categories.",
    "num_bins": "The number of bins.",
    "Hashing.mask_value": "What bin 0 is for, and nothing else.",
    "height": "The height in pixels.",
    "width": "The width in pixels.",
    "ImageLayer.interpolation": "How pixels between pixels are found.",
    "crop_to_aspect_ratio": "Crop the middle to the new aspect ratio first.",
    "pad_to_aspect_ratio": "Pad to the new aspect ratio first.",
    "fill_mode": "What is beyond the edge: reflect, wrap, constant or nearest.",
    "fill_value": "What is beyond the edge where it is constant.",
    "antialias": "Take the mean over more pixels where the image gets smaller.",
    "RandomFlip.mode": "Along which axes: horizontal, vertical, horizontal_and_vertical.",
    "ImageLayer.factor": "How much at most: one number for both directions, or a pair.",
    "RandomRotation.factor": "Up to how many full turns: one number for both directions, or a pair.",
    "RandomContrast.factor": "How much more contrast at most, or the pair (less, more).",
    "height_factor": "Which part of the height at most: one number, or a pair.",
    "width_factor": "Which part of the width at most: one number, or a pair.",
    "value_range": "The lowest and the highest value of a pixel.",
    # -- dropout and noise
    "rate": "The fraction of elements that is dropped in training, 0 to 1.",
    "GaussianDropout.rate": "Like Dropout's rate: the noise has variance rate / (1 - rate).",
    "noise_shape": "The shape of the random mask, batch axis included; 1 shares one decision "
    "along an axis, null takes the input's size.",
    "GaussianNoise.stddev": "The standard deviation of the noise.",
    "init_values": "What the factors start from.",
    "projection_dim": "The number of channels.",
    "CustomScaleLayer.scale": "What the second input is multiplied by.",
    # -- shapes
    "target_shape": "The new shape without the batch axis; one size may be -1 and is worked out.",
    "dims": "The new order of the axes, counted from 1; the batch axis stays.",
    "n": "How often the vector is repeated.",
    "cropping": "How much to cut off: an integer, or [before, after] for each spatial axis.",
    "ZeroPadding.padding": "How much to add: an integer, or [before, after] for each axis.",
    "size": "The factor by which each spatial axis grows.",
    "interpolation": "nearest repeats elements; the others compute values in between.",
    # -- merging
    "axes": "The axis to sum over, or a pair: one of each input. The batch axis counts as 0.",
    "normalize": "Scale both inputs to length 1 first: the result is the cosine.",
    # -- activations
    "max_value": "The largest value that is returned; none if null.",
    "negative_slope": "The slope below the threshold (below 0).",
    "threshold": "The value from which elements pass.",
    "alpha": "The value that is approached (negated) far below zero.",
    "alpha_initializer": "How the learned slopes start.",
    "alpha_regularizer": "A penalty on the learned slopes, added to the loss.",
    "alpha_constraint": "What the learned slopes are held to after every step.",
    "shared_axes": "Axes, counted from 1, along which one slope is shared.",
    "Softmax.axis": "The axis (or axes) along which the outputs sum to 1.",
    # -- operations
    "Op.inputs": (
        "The positional arguments in order: names of tensors, numbers, lists of them, "
        "{const: text} for a string."
    ),
    "Op.name": "The name of the result; the operation's own (mean, mean_1, ...) if left out.",
    "decimals": "How many decimal places are kept.",
    "x_min": "The lowest value that is returned.",
    "x_max": "The highest value that is returned.",
    "Reduction.axis": "The axis or axes that are reduced; all if null.",
    "Argmax.axis": "The axis that is searched; all elements in a row if null.",
    "Norm.axis": "The axis, or the two of a matrix, that the norm is taken over.",
    "Reduction.keepdims": "Keep the reduced axes, with size 1.",
    "Norm.keepdims": "Keep the reduced axes, with size 1.",
    "initial": "The result of reducing nothing, and a bound on the result.",
    "ord": "Which norm: a number, inf, -inf, fro or nuc; the Euclidean one if null.",
    "newshape": "The new shape, batch axis included; one size may be -1 and is worked out.",
    "Transpose.axes": "The new order of the axes, counted from 0; reversed if null.",
    "Squeeze.axis": "The axis (or axes) of size 1 to take out; all of them if null.",
    "ExpandDims.axis": "Where the new axis of size 1 stands.",
    "Concatenate.axis": "The axis along which the inputs follow each other; -1 is the last one.",
    "Stack.axis": "Where the new axis stands.",
    "Flip.axis": "The axis (or axes) to reverse; all if null.",
    "Repeat.axis": "The axis to repeat along; all elements in a row if null.",
    "Repeat.repeats": "How often each element is repeated.",
    "Tile.repeats": "How often the whole is repeated along each axis.",
    "BroadcastTo.shape": "The new shape, batch axis included.",
    "axis1": "One of the axes to swap.",
    "axis2": "The other one.",
    "source": "Which axes to move.",
    "destination": "Where they are moved to.",
    "pad_width": "How much to add: an integer, or [before, after] for each axis.",
    "Pad.mode": "constant, reflect or symmetric.",
    "constant_values": "What stands in the added places; 0 if null.",
    "shift": "How far elements move; those beyond the end come in at the start.",
    "Roll.axis": "The axis to move along; all elements in a row if null.",
    "indices_or_sections": "The number of equal parts, or the places to cut at.",
    "Split.axis": "The axis to cut along.",
    "key": "What to take: an index, or {slice: [start, stop, step]}, for each axis.",
    "OneHot.axis": "Where the new axis stands.",
    "OneHot.sparse": "Whether the result is a sparse tensor.",
    "ConvertToTensor.sparse": "Whether the result may be a sparse tensor.",
    "ConvertToTensor.ragged": "Whether the result may be a ragged tensor.",
    "subscripts": "Einstein's notation, such as `bij,bjk->bik`.",
}

DOCS: dict[str, str] = {**WORD_DOCS, **_LAYER_DOCS}


def field_doc(cls: type[BaseModel], field: str) -> str:
    """The description of a field; empty for a field of a plugin that nobody described."""
    for base in cls.__mro__:
        text = DOCS.get(f"{base.__name__}.{field}")
        if text is not None:
            return text
    return DOCS.get(field, "")
