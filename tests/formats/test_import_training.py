"""compile_config and training_config of every generation become the `train:` section."""

import pytest

from specfmt.formats.config.context import KERAS_1, KERAS_2, KERAS_3, Context
from specfmt.formats.read.training import read_compile_config, read_training_config

ADAM = {
    "module": "keras.optimizers",
    "class_name": "Adam",
    "registered_name": None,
    "config": {
        "name": "adam",
        "learning_rate": 0.0010000000474974513,
        "weight_decay": None,
        "clipnorm": None,
        "global_clipnorm": None,
        "clipvalue": None,
        "use_ema": False,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": None,
        "loss_scale_factor": None,
        "gradient_accumulation_steps": None,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-07,
        "amsgrad": False,
    },
}


def compiled(**changes):
    config = {
        "optimizer": ADAM,
        "loss": "mse",
        "loss_weights": None,
        "metrics": None,
        "weighted_metrics": None,
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": False,
        **changes,
    }
    return read_compile_config(config, (), Context(KERAS_3))


def adam(**changes):
    return {**ADAM, "config": {**ADAM["config"], **changes}}


SCHEDULE = {
    "module": "keras.optimizers.schedules",
    "class_name": "ExponentialDecay",
    "registered_name": None,
    "config": {
        "initial_learning_rate": 0.1,
        "decay_steps": 10,
        "decay_rate": 0.9,
        "staircase": True,
        "name": "ExponentialDecay",
    },
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"loss": "mse", "optimizer": "adam"}),
        (
            {"optimizer": adam(learning_rate=0.009999999776482582)},
            {"loss": "mse", "optimizer": {"type": "Adam", "learning_rate": 0.01}},
        ),
        (
            {"optimizer": adam(learning_rate=SCHEDULE, clipnorm=1.0)},
            {
                "loss": "mse",
                "optimizer": {
                    "type": "Adam",
                    "learning_rate": {
                        "type": "ExponentialDecay",
                        "initial_learning_rate": 0.1,
                        "decay_steps": 10,
                        "decay_rate": 0.9,
                        "staircase": True,
                    },
                    "clipnorm": 1.0,
                },
            },
        ),
        (
            {
                "loss": {"o1": "mse", "o2": "mae"},
                "loss_weights": {"o1": 1.0, "o2": 0.5},
                "metrics": {"o1": ["mae"]},
            },
            {
                "loss": {"o1": "mse", "o2": "mae"},
                "loss_weights": {"o1": 1.0, "o2": 0.5},
                "optimizer": "adam",
                "metrics": {"o1": ["mae"]},
            },
        ),
        (
            {
                "loss": {
                    "module": "keras.losses",
                    "class_name": "SparseCategoricalCrossentropy",
                    "registered_name": None,
                    "config": {
                        "name": "sparse_categorical_crossentropy",
                        "reduction": "sum_over_batch_size",
                        "from_logits": True,
                        "ignore_class": None,
                    },
                }
            },
            {
                "loss": {"type": "SparseCategoricalCrossentropy", "from_logits": True},
                "optimizer": "adam",
            },
        ),
        (
            {
                "metrics": [
                    "accuracy",
                    {
                        "module": "keras.metrics",
                        "class_name": "TopKCategoricalAccuracy",
                        "registered_name": None,
                        "config": {"name": "top", "dtype": "float32", "k": 3},
                    },
                ]
            },
            {
                "loss": "mse",
                "optimizer": "adam",
                "metrics": ["accuracy", {"type": "TopKCategoricalAccuracy", "name": "top", "k": 3}],
            },
        ),
        (
            {"jit_compile": True, "steps_per_execution": 4, "run_eagerly": True},
            {
                "loss": "mse",
                "optimizer": "adam",
                "run_eagerly": True,
                "steps_per_execution": 4,
                "jit_compile": True,
            },
        ),
    ],
)
def test_keras_3(changes, expected):
    assert compiled(**changes) == expected


def test_a_model_that_was_not_compiled():
    assert read_compile_config({}, (), Context(KERAS_3)) == {}
    assert compiled(optimizer=None, loss=None) == {}


def trained(config, version="2.4.0", generation=KERAS_2):
    return read_training_config(config, (), Context(generation, version))


def optimizer(class_name, version="2.4.0", generation=KERAS_2, **config):
    return trained(
        {"optimizer_config": {"class_name": class_name, "config": config}}, version, generation
    )["optimizer"]


def test_optimizers_of_keras_2():
    assert (
        optimizer(
            "Custom>Adam",
            name="Adam",
            learning_rate=0.0010000000474974513,
            jit_compile=True,
            is_legacy_optimizer=False,
        )
        == "adam"
    )
    assert optimizer("SGD", lr=0.05, decay=0.0, momentum=0.9) == {
        "type": "SGD",
        "learning_rate": 0.05,
        "momentum": 0.9,
    }
    assert optimizer("SGD", lr=0.05, decay=1e-6) == {
        "type": "SGD",
        "learning_rate": {
            "type": "InverseTimeDecay",
            "initial_learning_rate": 0.05,
            "decay_steps": 1,
            "decay_rate": 1e-6,
        },
    }
    assert optimizer("Adam", clipnorm=1.0) == {"type": "Adam", "clipnorm": 1.0}
    assert optimizer("rmsprop", epsilon=None) == "rmsprop"


def test_multi_backend_keras_clipped_all_gradients_together():
    assert optimizer("Adam", "2.2.4", clipnorm=1.0) == {"type": "Adam", "global_clipnorm": 1.0}
    assert optimizer("Adam", "2.1.6-tf", clipnorm=1.0) == {"type": "Adam", "clipnorm": 1.0}
    assert optimizer("Adam", "2.21.0", clipnorm=1.0) == {"type": "Adam", "clipnorm": 1.0}
    assert optimizer("Adagrad", "2.2.4", lr=0.01) == {
        "type": "Adagrad",
        "learning_rate": 0.01,
        "initial_accumulator_value": 0.0,
    }


def test_metrics_of_keras_2():
    def wrapped(name, function):
        return {
            "class_name": "MeanMetricWrapper",
            "config": {"name": name, "dtype": "float32", "fn": function},
        }

    config = {
        "loss": "kullback_leibler_divergence",
        "metrics": [
            [
                wrapped("accuracy", "sparse_categorical_accuracy"),
                wrapped("mae", "mean_absolute_error"),
                wrapped("binary_accuracy", "binary_accuracy"),
            ]
        ],
    }
    assert trained(config) == {
        "loss": "kl_divergence",
        "metrics": ["accuracy", "mean_absolute_error", "binary_accuracy"],
    }


def test_keras_1_wrote_it_at_the_top():
    config = {
        "loss": "categorical_crossentropy",
        "sample_weight_mode": None,
        "optimizer": {
            "name": "SGD",
            "lr": 0.009999999776482582,
            "momentum": 0.0,
            "decay": 0.0,
            "nesterov": True,
        },
    }
    assert trained(config, "1.0.6", KERAS_1) == {
        "loss": "categorical_crossentropy",
        "optimizer": {"type": "SGD", "nesterov": True},
    }


def test_own_classes_are_kept():
    context = Context(KERAS_3)
    loss = {"module": "mine", "class_name": "Mine", "config": {"a": 1}, "registered_name": "x>Mine"}
    found = read_compile_config({"optimizer": ADAM, "loss": loss}, (), context)
    assert found["loss"] == {
        "type": "Custom",
        "class": "mine.Mine",
        "config": {"a": 1},
        "registered_name": "x>Mine",
    }
    assert [w.code for w in context.warnings] == ["SF431"]
