/* The operators of ONNX that can be imported, with the attributes that are read. */
#include <string.h>

#include "convert/onnx/importing.h"

#define WINDOW "auto_pad:s dilations:I kernel_shape:I pads:I strides:I"

#define APPLY(name) gf__operation_##name

/* In the order of their names. */
const gf__operator gf__operators[] = {
    {"Add", 2, 2, "axis:i broadcast:i", APPLY(add), APPLY(fold_arithmetic), "add"},
    {"AveragePool", 1, 1, WINDOW " ceil_mode:i count_include_pad:i", APPLY(pool), NULL, "avg_pool"},
    {"BatchNormalization", 5, 5, "epsilon:f momentum:f spatial:i training_mode:i", APPLY(norm),
     NULL, "batch_norm"},
    {"Bernoulli", 1, 1, "dtype:i seed:f", APPLY(bernoulli), APPLY(bernoulli), NULL},
    {"Cast", 1, 1, "to:i saturate:i round_mode:s", APPLY(cast), APPLY(fold_cast), NULL},
    {"CastLike", 2, 2, "saturate:i round_mode:s", APPLY(same), APPLY(fold_same), NULL},
    {"Clip", 1, 3, "max:f min:f", APPLY(clip), NULL, "clamp"},
    {"Concat", 1, 64, "axis:i", APPLY(concat), APPLY(fold_concat), "concat"},
    {"Constant", 0, 0, "value:t value_float:f value_floats:F value_int:i value_ints:I", NULL,
     APPLY(fold_constant), NULL},
    {"ConstantOfShape", 1, 1, "value:t", NULL, APPLY(fold_constant_of_shape), NULL},
    {"Conv", 2, 3, WINDOW " group:i", APPLY(conv), NULL, "conv2d"},
    {"ConvTranspose", 2, 3, WINDOW " group:i output_padding:I output_shape:I",
     APPLY(conv_transpose), NULL, "conv_transpose2d"},
    {"Div", 2, 2, "axis:i broadcast:i", APPLY(divide), APPLY(fold_arithmetic), NULL},
    {"Dropout", 1, 3, "ratio:f seed:i", APPLY(dropout), APPLY(fold_same), "dropout"},
    {"Elu", 1, 1, "alpha:f", APPLY(activation), NULL, "elu"},
    {"Erf", 1, 1, "", APPLY(erf), NULL, NULL},
    {"Expand", 2, 2, "", NULL, APPLY(fold_expand), NULL},
    {"Flatten", 1, 1, "axis:i", APPLY(flatten), APPLY(fold_flatten), "flatten"},
    {"Gather", 2, 2, "axis:i", APPLY(gather), APPLY(fold_gather), NULL},
    {"GatherND", 2, 2, "batch_dims:i", APPLY(gather_nd), NULL, NULL},
    {"Gelu", 1, 1, "approximate:s", APPLY(activation), NULL, "gelu"},
    {"Gemm", 2, 3, "alpha:f beta:f transA:i transB:i", APPLY(gemm), NULL, "linear"},
    {"GlobalAveragePool", 1, 1, "", APPLY(global_pool), NULL, "global_avg_pool"},
    {"GlobalMaxPool", 1, 1, "", APPLY(global_pool), NULL, "max_pool"},
    {"GroupNormalization", 3, 3, "epsilon:f num_groups:i stash_type:i", APPLY(group_norm), NULL,
     "group_norm"},
    {"HardSigmoid", 1, 1, "alpha:f beta:f", APPLY(hard_sigmoid), NULL, "hard_sigmoid"},
    {"HardSwish", 1, 1, "", APPLY(activation), NULL, "hard_swish"},
    {"Identity", 1, 1, "", APPLY(same), APPLY(fold_same), NULL},
    {"InstanceNormalization", 3, 3, "epsilon:f", APPLY(instance_norm), NULL, "group_norm"},
    {"LayerNormalization", 2, 3, "axis:i epsilon:f stash_type:i", APPLY(layer_norm), NULL,
     "layer_norm"},
    {"LeakyRelu", 1, 1, "alpha:f", APPLY(activation), NULL, "leaky_relu"},
    {"Less", 2, 2, "axis:i broadcast:i", APPLY(less), APPLY(less), NULL},
    {"LogSoftmax", 1, 1, "axis:i", APPLY(softmax), NULL, NULL},
    {"MatMul", 2, 2, "", APPLY(matmul), NULL, "linear"},
    {"MaxPool", 1, 1, WINDOW " ceil_mode:i storage_order:i", APPLY(pool), NULL, "max_pool"},
    {"Mul", 2, 2, "axis:i broadcast:i", APPLY(multiply), APPLY(fold_arithmetic), NULL},
    {"Neg", 1, 1, "", NULL, APPLY(fold_arithmetic), NULL},
    {"Pad", 1, 4, "mode:s pads:I value:f", APPLY(pad), NULL, NULL},
    {"Pow", 2, 2, "", APPLY(pow), NULL, NULL},
    {"RandomUniformLike", 1, 1, "dtype:i high:f low:f seed:f", APPLY(random_uniform),
     APPLY(random_uniform), NULL},
    {"Range", 3, 3, "", NULL, APPLY(fold_range), NULL},
    {"Reciprocal", 1, 1, "", APPLY(reciprocal), NULL, NULL},
    {"ReduceMean", 1, 2, "axes:I keepdims:i noop_with_empty_axes:i", APPLY(reduce_mean), NULL,
     "global_avg_pool"},
    {"Relu", 1, 1, "", APPLY(activation), NULL, "relu"},
    {"Reshape", 2, 2, "allowzero:i", APPLY(reshape), APPLY(fold_reshape), "flatten"},
    {"SequenceAt", 2, 2, "", APPLY(sequence_at), NULL, "slice"},
    {"Shape", 1, 1, "end:i start:i", APPLY(shape), APPLY(shape), NULL},
    {"Sigmoid", 1, 1, "", APPLY(activation), NULL, "sigmoid"},
    {"Slice", 1, 5, "axes:I ends:I starts:I", APPLY(slice), APPLY(fold_slice), "pad_shortcut"},
    {"Softmax", 1, 1, "axis:i", APPLY(softmax), NULL, NULL},
    {"Split", 1, 2, "axis:i num_outputs:i split:I", APPLY(split), NULL, "slice"},
    {"SplitToSequence", 1, 2, "axis:i keepdims:i", APPLY(split_to_sequence), NULL, NULL},
    {"Sqrt", 1, 1, "", APPLY(sqrt), APPLY(fold_arithmetic), NULL},
    {"Squeeze", 1, 2, "axes:I", APPLY(squeeze), APPLY(fold_squeeze), NULL},
    {"Sub", 2, 2, "axis:i broadcast:i", APPLY(subtract), APPLY(fold_arithmetic), NULL},
    {"Sum", 1, 64, "", APPLY(add), NULL, "add"},
    {"Swish", 1, 1, "alpha:f", APPLY(activation), NULL, "silu"},
    {"Tanh", 1, 1, "", APPLY(activation), NULL, "tanh"},
    {"Transpose", 1, 1, "perm:I", APPLY(transpose), APPLY(fold_transpose), NULL},
    {"Unsqueeze", 1, 2, "axes:I", APPLY(unsqueeze), APPLY(fold_unsqueeze), NULL},
    {"Where", 3, 3, "", APPLY(where), NULL, NULL},
    {.name = NULL},
};

const gf__operator *gf__operator_find(const char *name) {
  const gf__operator *row = gf__operators;
  while (row->name && strcmp(row->name, name) != 0) row++;
  return row->name ? row : NULL;
}
