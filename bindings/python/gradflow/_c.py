"""The structs, constants and functions of include/gradflow/*.h: written by generate.py.

Nothing here is changed by hand. What is opaque is a void *, and so is a pointer to void.
"""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_long,
    c_longlong,
    c_size_t,
    c_ubyte,
    c_ulonglong,
    c_void_p,
)
from typing import Any

GF_OK = 0
GF_ERROR_ARGUMENT = 1
GF_ERROR_CONFIG = 2
GF_ERROR_FILE = 3
GF_ERROR_DATA = 4
GF_ERROR_SHAPE = 5
GF_ERROR_DEVICE = 6
GF_ERROR_BUILD = 7
GF_ERROR_MEMORY = 8
GF_ERROR_DEVICE_MEMORY = 9
GF_ERROR_NONFINITE = 10
GF_ERROR_INTERRUPTED = 11
GF_ERROR_RANK = 12
GF_LOG_DETAIL = 0
GF_LOG_INFO = 1
GF_LOG_WARNING = 2
GF_DEVICE_CPU = 0
GF_DEVICE_GPU = 1
GF_DEVICE_OTHER = 2
GF_BOUND_COMPUTE = 0
GF_BOUND_MEMORY = 1
GF_BOUND_LAUNCH = 2
GF_BOUND_TRANSFER = 3
GF_BOUND_COUNT = 4
GF_BENCH_OPERATION = 0
GF_BENCH_STEP = 1
GF_BENCH_INFERENCE = 2
GF_BENCH_KIND_COUNT = 3
GF_BENCH_MOST_ROUNDS = 15
GF_BENCH_QUICK = 0
GF_BENCH_FULL = 1
GF_BENCH_LAYERS = 2
GF_BENCH_TRAIN = 3
GF_ONNX_OPSET = 13
GF_SPLIT_TRAIN = 0
GF_SPLIT_VALIDATION = 1
GF_SPLIT_TEST = 2
GF_VERDICT_NORM_OF_ONE = 0
GF_VERDICT_INPUT_CONSTANT = 1
GF_VERDICT_INPUT_SCALE = 2
GF_VERDICT_RATE_HIGH = 3
GF_VERDICT_RATE_LOW = 4
GF_VERDICT_DECAY = 5
GF_VERDICT_NONFINITE = 6
GF_VERDICT_BRANCH_GROWS = 7
GF_VERDICT_EXPLODING = 8
GF_VERDICT_NO_GRADIENT = 9
GF_VERDICT_DEAD_AT_START = 10
GF_VERDICT_KILLED = 11
GF_VERDICT_DEAD_LAYER = 12
GF_VERDICT_SATURATED = 13
GF_VERDICT_VANISHING = 14
GF_VERDICT_SIGNAL_LOST = 15
GF_VERDICT_ONE_CLASS = 16
GF_VERDICT_DEAD = 17
GF_VERDICT_SMALL_STEPS = 18
GF_VERDICT_LARGE_STEPS = 19
GF_VERDICT_ABOVE_GUESSING = 20
GF_VERDICT_NOT_LEARNING = 21
GF_VERDICT_OVERFITTING = 22
GF_VERDICT_PLATEAU = 23
GF_VERDICT_FITTED = 24
GF_VERDICT_HEALTHY = 25
GF_VERDICT_COUNT = 26
GF_MOST_REMEDIES = 64
GF_MOST_SIGNAL_NOTES = 12
GF_DIVERGENCE_FORWARD = 0
GF_DIVERGENCE_BACKWARD = 1
GF_DIVERGENCE_GRADIENT = 2
GF_DIVERGENCE_WEIGHT = 3
GF_DIVERGENCE_PHASES = 4
GF_SPLITS = 3
GF_INSPECT_MOST_CHANNELS = 3
GF_INSPECT_MOST_SIZES = 5
GF_LAYER_KEYS = 8
GF_LAYER_INPUTS = 8
GF_LAYER_PARAMETERS = 4
GF_LAYER_FILL_RANDOM = 0
GF_LAYER_FILL_ZERO = 1
GF_LAYER_FILL_ONE = 2
GF_ARGUMENT_BUFFER = 0
GF_ARGUMENT_INT = 1
GF_ARGUMENT_FLOAT = 2
GF_SCALE_COMPUTE = 0
GF_SCALE_FIXED = 1
GF_SCALE_TRANSFER = 2
GF_SCALE_LATENCY = 3
GF_SCALE_BANDWIDTH = 4
GF_SCALE_BOUNDS = 5
GF_RUN_ABSENT = 0
GF_RUN_STARTED = 1
GF_RUN_FINISHED = 2
GF_RUN_DIVERGED = 3
GF_TRIAL_HELPS = 0
GF_TRIAL_MAY_HELP = 1
GF_TRIAL_DOES_NOT_HELP = 2
GF_TRIAL_MAKES_WORSE = 3
GF_TRIAL_DIVERGES = 4
GF_TRIAL_FAILS = 5
GF_TRIAL_NO_TIME = 6
GF_TRIAL_AS_IT_IS = 7


gf_log_function = CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class gf_device_info(Structure):
    _fields_ = [
        ("platform", c_int),
        ("index", c_int),
        ("type", c_int),
        ("platform_name", c_char * 128),
        ("name", c_char * 256),
        ("vendor", c_char * 128),
        ("driver", c_char * 128),
        ("version", c_char * 128),
        ("c_version", c_char * 128),
        ("extensions", c_char * 8192),
        ("compute_units", c_int),
        ("clock_mhz", c_int),
        ("vector_width_float", c_int),
        ("work_group_size", c_size_t),
        ("memory", c_ulonglong),
        ("max_allocation", c_ulonglong),
        ("local_memory", c_ulonglong),
        ("cache", c_ulonglong),
        ("base_alignment", c_size_t),
        ("local_memory_is_dedicated", c_bool),
        ("fp64", c_bool),
        ("fp16", c_bool),
    ]


class gf_profile_row(Structure):
    _fields_ = [
        ("name", c_char * 64),
        ("calls", c_int),
        ("seconds", c_double),
        ("flops", c_double),
        ("bytes", c_double),
    ]


class gf_versions(Structure):
    _fields_ = [
        ("program", c_char_p),
        ("commit", c_char_p),
        ("clblast", c_char_p),
        ("opencl_loader", c_char_p),
    ]


class gf_image_shape(Structure):
    _fields_ = [("height", c_int), ("width", c_int), ("channels", c_int)]


class gf_memory(Structure):
    _fields_ = [
        ("parameters", c_size_t),
        ("optimizer", c_size_t),
        ("activations", c_size_t),
        ("input", c_size_t),
        ("workspace", c_size_t),
    ]


class gf_parameter_info(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("layer", c_char_p),
        ("dims", c_int * 5),
        ("dim_count", c_int),
        ("count", c_size_t),
        ("is_weight", c_bool),
        ("trainable", c_bool),
    ]


class gf_loss(Structure):
    _fields_ = [("loss", c_double), ("correct", c_int)]


class gf_activation_stats(Structure):
    _fields_ = [
        ("layer", c_char_p),
        ("stored_by", c_char_p),
        ("mean", c_double),
        ("deviation", c_double),
        ("dead", c_double),
        ("contrast", c_double),
    ]


class gf_layer_summary(Structure):
    _fields_ = [
        ("name", c_char * 64),
        ("type", c_char_p),
        ("output", gf_image_shape),
        ("depth", c_int),
        ("parameters", c_size_t),
        ("flops", c_double),
        ("bytes", c_size_t),
    ]


class gf_bench_limits(Structure):
    _fields_ = [
        ("flops", c_double),
        ("bytes", c_double),
        ("launch_seconds", c_double),
        ("round_trip_seconds", c_double),
        ("upload", c_double),
        ("download", c_double),
    ]


class gf_bench_builds(Structure):
    _fields_ = [
        ("compiled", c_int),
        ("loaded", c_int),
        ("compile_seconds", c_double),
        ("load_seconds", c_double),
        ("fresh_seconds", c_double),
    ]


class gf_bench_rounds(Structure):
    _fields_ = [("count", c_int), ("seconds", c_double * 15)]


class gf_bench_row(Structure):
    _fields_ = [
        ("name", c_char * 192),
        ("algorithm", c_char * 16),
        ("kind", c_int),
        ("batch", c_int),
        ("samples", c_int),
        ("repeats", c_int),
        ("seconds", c_double),
        ("low", c_double),
        ("high", c_double),
        ("first_seconds", c_double),
        ("flops", c_double),
        ("bytes", c_double),
        ("upload_bytes", c_double),
        ("launches", c_double),
        ("fraction", c_double),
        ("bound", c_int),
        ("rounds", gf_bench_rounds),
        ("host_bytes", c_double),
        ("device_bytes", c_double),
    ]


class gf_bench_device(Structure):
    _fields_ = [
        ("card", gf_device_info),
        ("failure", c_char_p),
        ("limits", gf_bench_limits),
        ("builds", gf_bench_builds),
        ("row_count", c_int),
        ("rows", POINTER(gf_bench_row)),
    ]


class gf_bench(Structure):
    _fields_ = [
        ("date", c_char * 32),
        ("program", c_char * 64),
        ("commit", c_char * 64),
        ("clblast", c_char * 64),
        ("opencl_loader", c_char * 128),
        ("form", c_int),
        ("device_count", c_int),
        ("devices", POINTER(gf_bench_device)),
    ]


class gf_bench_progress(Structure):
    _fields_ = [("device", c_char_p), ("what", c_char_p), ("done", c_int), ("count", c_int)]


gf_bench_options_progress = CFUNCTYPE(None, c_void_p, POINTER(gf_bench_progress))
gf_bench_options_stop = CFUNCTYPE(c_bool, c_void_p)


class gf_bench_options(Structure):
    _fields_ = [
        ("device", c_char_p),
        ("form", c_int),
        ("user", c_void_p),
        ("progress", gf_bench_options_progress),
        ("stop", gf_bench_options_stop),
    ]


class gf_bench_layer(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("note", c_char_p),
        ("type", c_char_p),
        ("keys", c_char_p),
        ("image", gf_image_shape),
        ("batch", c_int),
    ]


class gf_bench_layer_options(Structure):
    _fields_ = [
        ("layers", POINTER(gf_bench_layer)),
        ("count", c_int),
        ("algorithm", c_char_p),
        ("tune", c_char_p),
        ("gemm_defaults", c_bool),
    ]


class gf_bench_train_options(Structure):
    _fields_ = [
        ("configs", POINTER(c_void_p)),
        ("names", POINTER(c_char_p)),
        ("count", c_int),
        ("rounds", c_int),
        ("steps", c_int),
        ("batch", c_int),
        ("statistics", c_bool),
        ("loader", c_bool),
    ]


gf_bench_compare_options_written = CFUNCTYPE(None, c_void_p, c_char_p)


class gf_bench_compare_options(Structure):
    _fields_ = [
        ("fail_below", c_double),
        ("folder", c_char_p),
        ("written", gf_bench_compare_options_written),
        ("user", c_void_p),
    ]


class gf_rank(Structure):
    _fields_ = [
        ("rank", c_int),
        ("ranks", c_int),
        ("local_rank", c_int),
        ("local_ranks", c_int),
        ("host", c_char_p),
    ]


class gf_conversion(Structure):
    _fields_ = [
        ("image", gf_image_shape),
        ("classes", c_int),
        ("parameters", c_size_t),
        ("weights", c_char * 4096),
    ]


class gf_export_options(Structure):
    _fields_ = [("weights", c_char_p), ("softmax", c_bool), ("overwrite", c_bool)]


class gf_import_options(Structure):
    _fields_ = [("out", c_char_p), ("overwrite", c_bool)]


class gf_dataset_info(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("count", c_int),
        ("height", c_int),
        ("width", c_int),
        ("channels", c_int),
        ("classes", c_int),
        ("class_names", POINTER(c_char_p)),
    ]


class gf_batch(Structure):
    _fields_ = [
        ("images", POINTER(c_float)),
        ("labels", POINTER(c_int)),
        ("count", c_int),
        ("mix", c_float),
        ("first", c_int),
        ("whole", c_int),
    ]


class gf_loader_options(Structure):
    _fields_ = [
        ("batch_size", c_int),
        ("threads", c_int),
        ("seed", c_ulonglong),
        ("training", c_bool),
        ("from", c_double),
        ("to", c_double),
    ]


class gf_rule(Structure):
    _fields_ = [("verdict", c_int), ("name", c_char_p), ("holds", c_char_p), ("source", c_char_p)]


class gf_remedy(Structure):
    _fields_ = [("text", c_char_p), ("setting", c_char_p), ("code", c_char_p)]


class gf_finding(Structure):
    _fields_ = [
        ("verdict", c_int),
        ("headline", c_char_p),
        ("evidence", c_char_p),
        ("threshold", c_char_p),
        ("remedy_count", c_int),
        ("remedies", gf_remedy * 64),
    ]


class gf_diagnosis(Structure):
    _fields_ = [
        ("finding_count", c_int),
        ("findings", gf_finding * 26),
        ("layer_count", c_int),
        ("epoch_count", c_int),
        ("layers", POINTER(c_char_p)),
        ("epochs", POINTER(c_double)),
        ("mean_abs", POINTER(c_double)),
        ("l2", POINTER(c_double)),
        ("zeros", POINTER(c_double)),
        ("update_ratio", POINTER(c_double)),
        ("dead", POINTER(c_double)),
        ("activation_count", c_int),
        ("activation_epoch_count", c_int),
        ("activations", POINTER(c_char_p)),
        ("activation_epochs", POINTER(c_double)),
        ("activation_mean", POINTER(c_double)),
        ("activation_deviation", POINTER(c_double)),
        ("activation_dead", POINTER(c_double)),
        ("owner", c_void_p),
    ]


class gf_signal_layer(Structure):
    _fields_ = [
        ("layer", c_char_p),
        ("rms", c_double),
        ("contrast", c_double),
        ("contrast_expected", c_double),
        ("dimension", c_double),
        ("dead", c_double),
        ("mean_abs", c_double),
        ("coherence", c_double),
    ]


class gf_signal_theory(Structure):
    _fields_ = [
        ("reason", c_char_p),
        ("activation", c_char_p),
        ("layers", c_int),
        ("weight_variance", c_double),
        ("bias_variance", c_double),
        ("length", c_double),
        ("chi", c_double),
        ("correlation", c_double),
        ("depth", c_double),
        ("contrast_expected", c_double),
        ("contrast_measured", c_double),
        ("gradient_expected", c_double),
        ("gradient_measured", c_double),
    ]


class gf_signal_batch(Structure):
    _fields_ = [
        ("images", c_int),
        ("channels", c_int),
        ("classes", c_int),
        ("mean", POINTER(c_double)),
        ("deviation", POINTER(c_double)),
        ("class_images", POINTER(c_int)),
        ("absent_classes", c_int),
        ("wrong_labels", c_int),
        ("duplicates", c_int),
        ("constant", c_int),
        ("nonfinite", c_int),
    ]


class gf_signal(Structure):
    _fields_ = [
        ("headline", c_char_p),
        ("note_count", c_int),
        ("notes", c_char_p * 12),
        ("loss", c_double),
        ("guess", c_double),
        ("layer_count", c_int),
        ("layers", POINTER(gf_signal_layer)),
        ("theory", gf_signal_theory),
        ("batch", gf_signal_batch),
        ("owner", c_void_p),
    ]


class gf_divergence_place(Structure):
    _fields_ = [
        ("step", c_int),
        ("phase", c_int),
        ("layer", c_char * 64),
        ("tensor", c_char * 96),
        ("index", c_int * 5),
        ("shape", c_int * 5),
        ("dims", c_int),
        ("a", c_double),
        ("b", c_double),
        ("difference", c_double),
    ]


class gf_divergence_layer(Structure):
    _fields_ = [("name", c_char * 64), ("differences", c_double * 4)]


class gf_divergence_step(Structure):
    _fields_ = [("losses", c_double * 2), ("differences", c_double * 4)]


class gf_divergence(Structure):
    _fields_ = [
        ("diverged", c_bool),
        ("first", gf_divergence_place),
        ("worst", gf_divergence_place),
        ("steps", POINTER(gf_divergence_step)),
        ("step_count", c_int),
        ("layers", POINTER(gf_divergence_layer)),
        ("layer_count", c_int),
        ("parameter_count", c_int),
    ]


gf_divergence_options_progress = CFUNCTYPE(None, c_void_p, c_int, POINTER(gf_divergence))


class gf_divergence_options(Structure):
    _fields_ = [
        ("steps", c_int),
        ("tolerance", c_double),
        ("resync", c_bool),
        ("user", c_void_p),
        ("progress", gf_divergence_options_progress),
    ]


class gf_fetch_progress(Structure):
    _fields_ = [
        ("phase", c_char_p),
        ("file", c_char_p),
        ("done", c_longlong),
        ("size", c_longlong),
        ("bytes_per_second", c_double),
        ("seconds_left", c_double),
    ]


gf_fetch_events_progress = CFUNCTYPE(None, c_void_p, POINTER(gf_fetch_progress))
gf_fetch_events_stop = CFUNCTYPE(c_bool, c_void_p)


class gf_fetch_events(Structure):
    _fields_ = [
        ("user", c_void_p),
        ("progress", gf_fetch_events_progress),
        ("stop", gf_fetch_events_stop),
    ]


class gf_fetch_options(Structure):
    _fields_ = [
        ("to", c_char_p),
        ("mirror", c_char_p),
        ("attempts", c_int),
        ("backoff_seconds", c_double),
        ("connect_seconds", c_double),
        ("stall_seconds", c_double),
        ("events", gf_fetch_events),
    ]


class gf_fetched(Structure):
    _fields_ = [("data_name", c_char_p), ("data_path", c_char_p)]


class gf_inspected_split(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("failure", c_char_p),
        ("images", c_int),
        ("class_images", POINTER(c_int)),
    ]


class gf_duplicates(Structure):
    _fields_ = [("images", c_int), ("other_label", c_int)]


class gf_image_size(Structure):
    _fields_ = [("height", c_int), ("width", c_int), ("images", c_int)]


class gf_inspected_sizes(Structure):
    _fields_ = [
        ("files", c_int),
        ("distinct", c_int),
        ("smallest", gf_image_size),
        ("largest", gf_image_size),
        ("common_count", c_int),
        ("common", gf_image_size * 5),
        ("cut", c_double),
        ("most_cut", c_double),
        ("enlarged", c_int),
    ]


class gf_data_report(Structure):
    _fields_ = [
        ("info", gf_dataset_info),
        ("splits", gf_inspected_split * 3),
        ("has_duplicates", c_bool),
        ("duplicates", gf_duplicates * 3 * 3),
        ("channels", c_int),
        ("mean", c_double * 3),
        ("deviation", c_double * 3),
        ("configured_mean", c_double * 3),
        ("configured_std", c_double * 3),
        ("sizes", gf_inspected_sizes),
        ("warning_count", c_int),
        ("warnings", POINTER(c_char_p)),
        ("sheet", c_char_p),
        ("owner", c_void_p),
    ]


class gf_inspect_options(Structure):
    _fields_ = [("out", c_char_p), ("title", c_char_p)]


class gf_layer_key(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("is_whole", c_bool),
        ("initial", c_char_p),
        ("minimum", c_double),
        ("maximum", c_double),
        ("help", c_char_p),
    ]


class gf_layer_shape(Structure):
    _fields_ = [("depth", c_int), ("height", c_int), ("width", c_int), ("channels", c_int)]


class gf_layer_node(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("options", c_double * 8),
        ("in_count", c_int),
        ("in", gf_layer_shape * 8),
        ("out", gf_layer_shape),
        ("node", c_void_p),
    ]


class gf_layer_pass(Structure):
    _fields_ = [
        ("images", c_int),
        ("training", c_bool),
        ("in", c_void_p * 8),
        ("out", c_void_p),
        ("out_gradient", c_void_p),
        ("in_gradient", c_void_p * 8),
        ("parameter", c_void_p * 4),
        ("parameter_gradient", c_void_p * 4),
        ("saved", c_void_p),
        ("workspace", c_void_p),
        ("device", c_void_p),
    ]


gf_layer_type_setup = CFUNCTYPE(c_int, POINTER(gf_layer_node))
gf_layer_type_saved = CFUNCTYPE(c_size_t, POINTER(gf_layer_node), c_int)
gf_layer_type_workspace = CFUNCTYPE(c_size_t, POINTER(gf_layer_node), c_int)
gf_layer_type_forward = CFUNCTYPE(c_int, POINTER(gf_layer_node), POINTER(gf_layer_pass))
gf_layer_type_backward = CFUNCTYPE(c_int, POINTER(gf_layer_node), POINTER(gf_layer_pass))


class gf_layer_type(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("help", c_char_p),
        ("keys", POINTER(gf_layer_key)),
        ("key_count", c_int),
        ("least_inputs", c_int),
        ("most_inputs", c_int),
        ("source", c_char_p),
        ("backward_reads_in", c_bool),
        ("backward_reads_out", c_bool),
        ("setup", gf_layer_type_setup),
        ("saved", gf_layer_type_saved),
        ("workspace", gf_layer_type_workspace),
        ("forward", gf_layer_type_forward),
        ("backward", gf_layer_type_backward),
    ]


class gf_layer_parameter(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("fill", c_int),
        ("dims", c_int * 5),
        ("dim_count", c_int),
        ("fan_in", c_int),
        ("fan_out", c_int),
    ]


class gf_argument(Structure):
    _fields_ = [("kind", c_int), ("buffer", c_void_p), ("i", c_int), ("f", c_float)]


class gf_prediction(Structure):
    _fields_ = [
        ("path", c_char_p),
        ("status", c_int),
        ("message", c_char_p),
        ("count", c_int),
        ("classes", POINTER(c_int)),
        ("probabilities", POINTER(c_double)),
        ("names", POINTER(c_char_p)),
        ("shape", gf_image_shape),
        ("pixels", POINTER(c_ubyte)),
        ("saliency", POINTER(c_float)),
    ]


gf_predict_events_prediction = CFUNCTYPE(None, c_void_p, POINTER(gf_prediction))
gf_predict_events_written = CFUNCTYPE(None, c_void_p, c_char_p)


class gf_predict_events(Structure):
    _fields_ = [
        ("user", c_void_p),
        ("prediction", gf_predict_events_prediction),
        ("written", gf_predict_events_written),
    ]


class gf_predict_options(Structure):
    _fields_ = [
        ("top", c_int),
        ("classes", c_char_p),
        ("out", c_char_p),
        ("saliency", c_bool),
        ("events", gf_predict_events),
    ]


class gf_predicted(Structure):
    _fields_ = [("images", c_int), ("failed", c_int)]


class gf_predictor_info(Structure):
    _fields_ = [("shape", gf_image_shape), ("classes", c_int), ("class_names", POINTER(c_char_p))]


class gf_rate_test_step(Structure):
    _fields_ = [("learning_rate", c_double), ("loss", c_double), ("smoothed", c_double)]


class gf_rate_test(Structure):
    _fields_ = [
        ("steps", POINTER(gf_rate_test_step)),
        ("step_count", c_int),
        ("batch_size", c_int),
        ("optimizer", c_char * 32),
        ("configured", c_double),
        ("diverged", c_bool),
        ("out_of_time", c_bool),
        ("fastest", c_double),
        ("lowest", c_double),
        ("lowest_loss", c_double),
    ]


gf_rate_test_options_step = CFUNCTYPE(c_bool, c_void_p, POINTER(gf_rate_test))


class gf_rate_test_options(Structure):
    _fields_ = [
        ("from", c_double),
        ("to", c_double),
        ("steps", c_int),
        ("seconds", c_double),
        ("step", gf_rate_test_options_step),
        ("user", c_void_p),
    ]


class gf_series(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("x", POINTER(c_double)),
        ("y", POINTER(c_double)),
        ("count", c_int),
        ("shade", c_float),
        ("hue", c_int),
        ("dashed", c_bool),
    ]


class gf_level(Structure):
    _fields_ = [("at", c_double), ("name", c_char_p)]


class gf_chart(Structure):
    _fields_ = [
        ("title", c_char_p),
        ("x_label", c_char_p),
        ("y_label", c_char_p),
        ("series", POINTER(gf_series)),
        ("count", c_int),
        ("log_y", c_bool),
        ("x_names", POINTER(c_char_p)),
        ("x_name_count", c_int),
        ("note", c_char_p),
        ("width", c_int),
        ("height", c_int),
        ("y_min", c_double),
        ("y_max", c_double),
        ("reference", c_double),
        ("reference_name", c_char_p),
        ("levels", POINTER(gf_level)),
        ("level_count", c_int),
        ("y_span", c_double),
        ("trims", c_bool),
        ("bar", c_char_p * 2),
    ]


class gf_scale_bucket(Structure):
    _fields_ = [("bytes", c_double), ("ready", c_double)]


class gf_scale_network(Structure):
    _fields_ = [("latency", c_double), ("overhead", c_double), ("bandwidth", c_double)]


class gf_scale_costs(Structure):
    _fields_ = [
        ("fixed", c_double),
        ("image", c_double),
        ("backward", c_double),
        ("update", c_double),
        ("transfer", c_double),
        ("buckets", POINTER(gf_scale_bucket)),
        ("bucket_count", c_int),
        ("memory", gf_memory),
        ("batch", c_int),
        ("parameters", c_size_t),
    ]


class gf_scale_point(Structure):
    _fields_ = [
        ("ranks", c_int),
        ("images", c_double),
        ("step", c_double),
        ("exposed", c_double),
        ("efficiency", c_double),
        ("bound", c_int),
    ]


class gf_gradient_stats(Structure):
    _fields_ = [
        ("layer", c_char_p),
        ("parameter", c_char_p),
        ("is_weight", c_bool),
        ("mean_abs", c_double),
        ("l2", c_double),
        ("max_abs", c_double),
        ("zeros", c_double),
        ("update_ratio", c_double),
        ("nonfinite", c_long),
        ("weight_l2", c_double),
    ]


class gf_progress(Structure):
    _fields_ = [
        ("phase", c_char_p),
        ("epoch", c_int),
        ("epochs", c_int),
        ("batch", c_int),
        ("batches", c_int),
        ("loss", c_double),
        ("accuracy", c_double),
        ("images_per_second", c_double),
        ("seconds_left", c_double),
    ]


class gf_step_event(Structure):
    _fields_ = [
        ("epoch", c_int),
        ("step", c_long),
        ("loss", c_double),
        ("accuracy", c_double),
        ("learning_rate", c_double),
    ]


class gf_epoch(Structure):
    _fields_ = [
        ("epoch", c_int),
        ("epochs", c_int),
        ("learning_rate", c_double),
        ("train_loss", c_double),
        ("train_accuracy", c_double),
        ("validation_loss", c_double),
        ("validation_accuracy", c_double),
        ("seconds", c_double),
        ("images_per_second", c_double),
        ("predicted_classes", c_int),
        ("most_predicted", c_double),
    ]


gf_train_events_progress = CFUNCTYPE(None, c_void_p, POINTER(gf_progress))
gf_train_events_epoch = CFUNCTYPE(None, c_void_p, POINTER(gf_epoch))
gf_train_events_stop = CFUNCTYPE(c_bool, c_void_p)
gf_train_events_written = CFUNCTYPE(None, c_void_p, c_char_p)
gf_train_events_gradients = CFUNCTYPE(
    None,
    c_void_p,
    c_int,
    c_long,
    POINTER(gf_gradient_stats),
    c_int,
)
gf_train_events_step = CFUNCTYPE(None, c_void_p, POINTER(gf_step_event))
gf_train_events_ended = CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class gf_train_events(Structure):
    _fields_ = [
        ("user", c_void_p),
        ("progress", gf_train_events_progress),
        ("epoch", gf_train_events_epoch),
        ("stop", gf_train_events_stop),
        ("written", gf_train_events_written),
        ("gradients", gf_train_events_gradients),
        ("step", gf_train_events_step),
        ("ended", gf_train_events_ended),
    ]


class gf_train_options(Structure):
    _fields_ = [
        ("out", c_char_p),
        ("overwrite", c_bool),
        ("resume", c_bool),
        ("force", c_bool),
        ("checkpoint_steps", c_long),
        ("checkpoint_minutes", c_double),
        ("keep_checkpoints", c_int),
        ("communicator", c_void_p),
        ("balance", c_char_p),
        ("events", gf_train_events),
    ]


class gf_run_state(Structure):
    _fields_ = [
        ("status", c_int),
        ("epochs_done", c_int),
        ("epochs", c_int),
        ("seconds", c_double),
        ("last", gf_epoch),
        ("best", gf_epoch),
        ("stopped_by", c_char * 32),
    ]


class gf_dry_run(Structure):
    _fields_ = [
        ("memory", gf_memory),
        ("planned", c_size_t),
        ("allocated", c_size_t),
        ("parameters", c_size_t),
        ("training_images", c_int),
        ("validation_images", c_int),
        ("batch_size", c_int),
        ("epochs", c_int),
        ("micro_batch", c_int),
    ]


class gf_test_result(Structure):
    _fields_ = [
        ("loss", c_double),
        ("accuracy", c_double),
        ("top5_accuracy", c_double),
        ("images", c_int),
        ("classes", c_int),
        ("class_accuracy", POINTER(c_double)),
        ("class_images", POINTER(c_int)),
        ("confusion", POINTER(c_int)),
        ("class_names", POINTER(c_char_p)),
        ("owner", c_void_p),
        ("weights", c_char_p),
        ("weights_sha256", c_char * 65),
    ]


class gf_study_item(Structure):
    _fields_ = [
        ("setting", c_char_p),
        ("seed", c_ulonglong),
        ("folder", c_char_p),
        ("state", gf_run_state),
        ("seconds_left", c_double),
    ]


class gf_study_progress(Structure):
    _fields_ = [
        ("done", c_int),
        ("runs", c_int),
        ("run", c_char_p),
        ("training", POINTER(gf_progress)),
        ("seconds_left", c_double),
    ]


class gf_study_event(Structure):
    _fields_ = [
        ("done", c_int),
        ("runs", c_int),
        ("run", c_char_p),
        ("status", c_int),
        ("stopped_by", c_char_p),
        ("failure", c_char_p),
        ("seconds", c_double),
        ("train_accuracy", c_double),
        ("validation_accuracy", c_double),
        ("test_accuracy", c_double),
    ]


gf_study_events_progress = CFUNCTYPE(None, c_void_p, POINTER(gf_study_progress))
gf_study_events_run = CFUNCTYPE(None, c_void_p, POINTER(gf_study_event))
gf_study_events_stop = CFUNCTYPE(c_bool, c_void_p)


class gf_study_events(Structure):
    _fields_ = [
        ("user", c_void_p),
        ("progress", gf_study_events_progress),
        ("run", gf_study_events_run),
        ("stop", gf_study_events_stop),
    ]


class gf_study_options(Structure):
    _fields_ = [
        ("device", c_char_p),
        ("shard", c_int),
        ("shards", c_int),
        ("jobs", c_int),
        ("overwrite", c_bool),
        ("communicator", c_void_p),
        ("events", gf_study_events),
    ]


class gf_trial_progress(Structure):
    _fields_ = [
        ("done", c_int),
        ("trials", c_int),
        ("remedy", c_char_p),
        ("seed", c_ulonglong),
        ("step", c_int),
        ("steps", c_int),
        ("loss", c_double),
        ("seconds_left", c_double),
    ]


gf_trial_events_progress = CFUNCTYPE(None, c_void_p, POINTER(gf_trial_progress))
gf_trial_events_stop = CFUNCTYPE(c_bool, c_void_p)


class gf_trial_events(Structure):
    _fields_ = [
        ("user", c_void_p),
        ("progress", gf_trial_events_progress),
        ("stop", gf_trial_events_stop),
    ]


class gf_trial_options(Structure):
    _fields_ = [
        ("out", c_char_p),
        ("seconds", c_double),
        ("steps", c_int),
        ("seeds", c_int),
        ("events", gf_trial_events),
    ]


class gf_trial_row(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("settings", POINTER(c_char_p)),
        ("setting_count", c_int),
        ("text", c_char_p),
        ("outcome", c_int),
        ("note", c_char_p),
        ("steps", c_int),
        ("seeds", c_int),
        ("loss", c_double),
        ("loss_least", c_double),
        ("loss_most", c_double),
        ("accuracy", c_double),
        ("flow", c_double),
    ]


class gf_trial(Structure):
    _fields_ = [
        ("rows", POINTER(gf_trial_row)),
        ("row_count", c_int),
        ("best", c_int),
        ("is_complete", c_bool),
        ("is_validated", c_bool),
        ("images", c_int),
        ("margin", c_double),
        ("guessing", c_double),
        ("config", c_char_p),
        ("picture", c_char_p),
        ("study", c_char_p),
        ("report", c_char_p),
        ("owner", c_void_p),
    ]


# Name: result, arguments.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "gf_bench_compare": (
        c_int,
        [
            POINTER(c_char_p),
            c_int,
            POINTER(gf_bench_compare_options),
            POINTER(c_char_p),
            POINTER(c_int),
        ],
    ),
    "gf_bench_compare_options_default": (gf_bench_compare_options, []),
    "gf_bench_free": (None, [POINTER(POINTER(gf_bench))]),
    "gf_bench_json": (c_int, [POINTER(gf_bench), POINTER(c_char_p)]),
    "gf_bench_layer_options_default": (gf_bench_layer_options, []),
    "gf_bench_layers": (
        c_int,
        [POINTER(POINTER(gf_bench)), POINTER(gf_bench_layer_options), POINTER(gf_bench_options)],
    ),
    "gf_bench_load": (c_int, [POINTER(POINTER(gf_bench)), c_char_p]),
    "gf_bench_options_default": (gf_bench_options, []),
    "gf_bench_run": (c_int, [POINTER(POINTER(gf_bench)), POINTER(gf_bench_options)]),
    "gf_bench_save": (c_int, [POINTER(gf_bench), c_char_p]),
    "gf_bench_text": (c_int, [POINTER(gf_bench), POINTER(c_char_p)]),
    "gf_bench_train": (
        c_int,
        [POINTER(POINTER(gf_bench)), POINTER(gf_bench_train_options), POINTER(gf_bench_options)],
    ),
    "gf_bench_train_options_default": (gf_bench_train_options, []),
    "gf_bound_name": (c_char_p, [c_int]),
    "gf_charts_write": (c_int, [c_char_p, POINTER(gf_chart), c_int, c_int]),
    "gf_communicator_abort": (None, [c_void_p, c_int]),
    "gf_communicator_agree": (c_int, [c_void_p, c_int]),
    "gf_communicator_agreed": (c_bool, [c_void_p]),
    "gf_communicator_close": (None, [POINTER(c_void_p)]),
    "gf_communicator_describe": (gf_rank, [c_void_p]),
    "gf_communicator_open": (c_int, [POINTER(c_void_p), c_double]),
    "gf_communicator_open_device": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, c_bool]),
    "gf_config_free": (None, [POINTER(c_void_p)]),
    "gf_config_help": (c_int, [POINTER(c_char_p)]),
    "gf_config_load": (c_int, [POINTER(c_void_p), c_char_p]),
    "gf_config_parse": (c_int, [POINTER(c_void_p), c_char_p, c_char_p]),
    "gf_config_reference": (c_int, [POINTER(c_char_p)]),
    "gf_config_set": (c_int, [c_void_p, c_char_p]),
    "gf_config_settings": (c_int, [POINTER(c_char_p)]),
    "gf_data_report_free": (None, [POINTER(POINTER(gf_data_report))]),
    "gf_dataset_describe": (gf_dataset_info, [c_void_p]),
    "gf_dataset_free": (None, [POINTER(c_void_p)]),
    "gf_dataset_open": (c_int, [POINTER(c_void_p), c_void_p, c_int]),
    "gf_dataset_shape": (c_int, [POINTER(gf_dataset_info), c_void_p]),
    "gf_device_describe": (POINTER(gf_device_info), [c_void_p]),
    "gf_device_finish": (c_int, [c_void_p]),
    "gf_device_free": (None, [POINTER(c_void_p)]),
    "gf_device_open": (c_int, [POINTER(c_void_p), c_char_p]),
    "gf_device_type_name": (c_char_p, [c_int]),
    "gf_devices_free": (None, [POINTER(POINTER(gf_device_info))]),
    "gf_devices_list": (c_int, [POINTER(POINTER(gf_device_info)), POINTER(c_int), POINTER(c_int)]),
    "gf_diagnose": (c_int, [c_char_p, POINTER(c_char_p)]),
    "gf_diagnosis_free": (None, [POINTER(POINTER(gf_diagnosis))]),
    "gf_diagnosis_open": (c_int, [POINTER(POINTER(gf_diagnosis)), c_char_p]),
    "gf_divergence_free": (None, [POINTER(gf_divergence)]),
    "gf_divergence_options_default": (gf_divergence_options, []),
    "gf_divergence_phase_name": (c_char_p, [c_int]),
    "gf_divergence_run": (
        c_int,
        [POINTER(gf_divergence), c_void_p, c_void_p, c_void_p, POINTER(gf_divergence_options)],
    ),
    "gf_error_message": (c_char_p, []),
    "gf_events_write": (c_int, [c_char_p, POINTER(c_char_p)]),
    "gf_export_onnx": (
        c_int,
        [c_char_p, c_char_p, POINTER(gf_export_options), POINTER(gf_conversion)],
    ),
    "gf_export_options_default": (gf_export_options, []),
    "gf_export_pytorch": (
        c_int,
        [c_char_p, c_char_p, POINTER(gf_export_options), POINTER(gf_conversion)],
    ),
    "gf_fetch": (c_int, [c_char_p, POINTER(gf_fetch_options), POINTER(gf_fetched)]),
    "gf_fetch_help": (c_int, [POINTER(c_char_p)]),
    "gf_fetch_options_default": (gf_fetch_options, []),
    "gf_import": (c_int, [c_void_p, c_char_p, POINTER(gf_import_options), POINTER(gf_conversion)]),
    "gf_import_guess": (c_int, [POINTER(c_void_p), c_char_p]),
    "gf_import_onnx": (
        c_int,
        [c_void_p, c_char_p, POINTER(gf_import_options), POINTER(gf_conversion)],
    ),
    "gf_import_options_default": (gf_import_options, []),
    "gf_inspect_data": (
        c_int,
        [POINTER(POINTER(gf_data_report)), c_void_p, POINTER(gf_inspect_options)],
    ),
    "gf_inspect_options_default": (gf_inspect_options, []),
    "gf_layer_add_parameter": (c_int, [POINTER(gf_layer_node), POINTER(gf_layer_parameter)]),
    "gf_layer_fail": (c_int, [POINTER(gf_layer_node), c_char_p]),
    "gf_layer_launch": (
        c_int,
        [
            POINTER(gf_layer_node),
            POINTER(gf_layer_pass),
            c_char_p,
            c_size_t,
            POINTER(gf_argument),
            c_int,
        ],
    ),
    "gf_layer_register": (c_int, [POINTER(gf_layer_type)]),
    "gf_loader_batches": (c_int, [c_void_p]),
    "gf_loader_free": (None, [POINTER(c_void_p)]),
    "gf_loader_next": (c_int, [c_void_p, POINTER(gf_batch)]),
    "gf_loader_open": (c_int, [POINTER(c_void_p), c_void_p, POINTER(gf_loader_options)]),
    "gf_loader_options_default": (gf_loader_options, []),
    "gf_loader_start": (c_int, [c_void_p, c_int, c_int]),
    "gf_log_to": (None, [gf_log_function, c_void_p]),
    "gf_model_backward": (c_int, [c_void_p]),
    "gf_model_forward": (
        c_int,
        [c_void_p, POINTER(c_float), POINTER(c_int), c_int, c_bool, POINTER(gf_loss)],
    ),
    "gf_model_free": (None, [POINTER(c_void_p)]),
    "gf_model_load": (c_int, [c_void_p, c_char_p]),
    "gf_model_logits": (c_int, [c_void_p, POINTER(c_float)]),
    "gf_model_open": (
        c_int,
        [POINTER(c_void_p), c_void_p, c_void_p, gf_image_shape, c_int, c_int, c_ulonglong],
    ),
    "gf_model_parameter": (gf_parameter_info, [c_void_p, c_int]),
    "gf_model_parameter_count": (c_int, [c_void_p]),
    "gf_model_parameter_total": (c_size_t, [c_void_p]),
    "gf_model_read_gradient": (c_int, [c_void_p, c_int, POINTER(c_float)]),
    "gf_model_read_parameter": (c_int, [c_void_p, c_int, POINTER(c_float)]),
    "gf_model_save": (c_int, [c_void_p, c_char_p]),
    "gf_model_summarise": (
        c_int,
        [POINTER(POINTER(gf_layer_summary)), POINTER(c_int), c_void_p, gf_image_shape, c_int],
    ),
    "gf_model_write_parameter": (c_int, [c_void_p, c_int, POINTER(c_float)]),
    "gf_network_json": (c_int, [c_void_p, POINTER(c_char_p)]),
    "gf_plot_runs": (
        c_int,
        [POINTER(c_char_p), c_int, c_char_p, CFUNCTYPE(None, c_void_p, c_char_p), c_void_p],
    ),
    "gf_predict": (
        c_int,
        [
            c_void_p,
            c_char_p,
            POINTER(c_char_p),
            c_int,
            POINTER(gf_predict_options),
            POINTER(gf_predicted),
        ],
    ),
    "gf_predict_options_default": (gf_predict_options, []),
    "gf_predictor_describe": (gf_predictor_info, [c_void_p]),
    "gf_predictor_free": (None, [POINTER(c_void_p)]),
    "gf_predictor_open": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, c_char_p]),
    "gf_predictor_run_bytes": (
        c_int,
        [c_void_p, POINTER(c_ubyte), gf_image_shape, c_int, POINTER(c_double)],
    ),
    "gf_predictor_run_floats": (
        c_int,
        [c_void_p, POINTER(c_float), gf_image_shape, c_int, POINTER(c_double)],
    ),
    "gf_profile_read": (c_int, [c_void_p, POINTER(POINTER(gf_profile_row)), POINTER(c_int)]),
    "gf_profile_start": (c_int, [c_void_p]),
    "gf_profile_trace": (c_int, [c_void_p, c_char_p]),
    "gf_rate_test_free": (None, [POINTER(gf_rate_test)]),
    "gf_rate_test_options_default": (gf_rate_test_options, []),
    "gf_rate_test_run": (
        c_int,
        [POINTER(gf_rate_test), c_void_p, c_void_p, POINTER(gf_rate_test_options)],
    ),
    "gf_rule_of": (POINTER(gf_rule), [c_int]),
    "gf_run_read_state": (c_int, [c_char_p, POINTER(gf_run_state)]),
    "gf_runs_page": (
        c_int,
        [
            POINTER(c_char_p),
            c_int,
            c_char_p,
            c_char_p,
            CFUNCTYPE(None, c_void_p, c_char_p),
            c_void_p,
        ],
    ),
    "gf_scale_bound_name": (c_char_p, [c_int]),
    "gf_scale_costs_free": (None, [POINTER(gf_scale_costs)]),
    "gf_scale_each": (
        gf_scale_point,
        [POINTER(gf_scale_costs), POINTER(gf_scale_network), c_int, c_double],
    ),
    "gf_scale_measure": (c_int, [POINTER(gf_scale_costs), c_void_p, c_void_p]),
    "gf_scale_measure_network": (c_int, [POINTER(gf_scale_network), c_void_p]),
    "gf_scale_measure_step": (c_int, [POINTER(c_double), c_void_p, c_void_p, c_void_p]),
    "gf_scale_whole": (
        gf_scale_point,
        [POINTER(gf_scale_costs), POINTER(gf_scale_network), c_int, c_double],
    ),
    "gf_signal_free": (None, [POINTER(POINTER(gf_signal))]),
    "gf_signal_open": (c_int, [POINTER(POINTER(gf_signal)), c_void_p, c_void_p]),
    "gf_signal_plot": (c_int, [POINTER(gf_signal), c_char_p]),
    "gf_status_name": (c_char_p, [c_int]),
    "gf_study_free": (None, [POINTER(c_void_p)]),
    "gf_study_help": (c_int, [POINTER(c_char_p)]),
    "gf_study_items_free": (None, [POINTER(POINTER(gf_study_item)), c_int]),
    "gf_study_load": (c_int, [POINTER(c_void_p), c_char_p, c_char_p]),
    "gf_study_options_default": (gf_study_options, []),
    "gf_study_plan": (
        c_int,
        [
            c_void_p,
            POINTER(gf_study_options),
            c_bool,
            POINTER(POINTER(gf_study_item)),
            POINTER(c_int),
        ],
    ),
    "gf_study_reference": (c_int, [POINTER(c_char_p)]),
    "gf_study_report": (
        c_int,
        [c_void_p, POINTER(c_char_p), CFUNCTYPE(None, c_void_p, c_char_p), c_void_p],
    ),
    "gf_study_run": (c_int, [c_void_p, POINTER(gf_study_options)]),
    "gf_study_set": (c_int, [c_void_p, c_char_p]),
    "gf_test": (c_int, [c_void_p, c_char_p, POINTER(gf_test_result)]),
    "gf_test_result_free": (None, [POINTER(gf_test_result)]),
    "gf_test_write_confusion": (
        c_int,
        [POINTER(gf_test_result), c_char_p, CFUNCTYPE(None, c_void_p, c_char_p), c_void_p],
    ),
    "gf_train": (c_int, [c_void_p, c_void_p, POINTER(gf_train_options)]),
    "gf_train_dry_run": (c_int, [c_void_p, c_void_p, POINTER(gf_dry_run)]),
    "gf_train_options_default": (gf_train_options, []),
    "gf_trainer_free": (None, [POINTER(c_void_p)]),
    "gf_trainer_gradient_count": (c_int, [c_void_p]),
    "gf_trainer_open": (c_int, [POINTER(c_void_p), c_void_p, c_void_p]),
    "gf_trainer_step": (
        c_int,
        [
            c_void_p,
            POINTER(c_float),
            POINTER(c_int),
            c_int,
            c_double,
            POINTER(gf_loss),
            POINTER(gf_gradient_stats),
        ],
    ),
    "gf_trial_free": (None, [POINTER(POINTER(gf_trial))]),
    "gf_trial_options_default": (gf_trial_options, []),
    "gf_trial_outcome_name": (c_char_p, [c_int]),
    "gf_trial_run": (
        c_int,
        [POINTER(POINTER(gf_trial)), c_void_p, c_void_p, POINTER(gf_trial_options)],
    ),
    "gf_verdict_name": (c_char_p, [c_int]),
    "gf_versions_get": (gf_versions, []),
}
