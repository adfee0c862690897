"""The paper's numbers, copied from it a second time, so that a wrong number in claims.csv is found."""

from paper_figures.claims.statistics import AT_MOST, TWO_SIDED

# Test errors in percent, of nets of 3, 4, 5 and 6 layers (CNNs: 3 and 4).
TABLE = {
    ("mnist", "fcn"): {
        "no_bprop": [9.3, 12.6, 16.2, 21.4],
        "bprop": [2.0, 1.8, 1.8, 1.8],
        "dni": [1.9, 2.2, 3.4, 4.3],
        "cdni": [2.2, 1.9, 1.7, 1.6],
    },
    ("cifar10", "fcn"): {
        "no_bprop": [54.9, 57.2, 59.6, 61.9],
        "bprop": [43.5, 43.0, 41.7, 42.0],
        "dni": [42.5, 45.0, 46.9, 49.7],
        "cdni": [48.5, 45.1, 43.5, 46.8],
    },
    ("mnist", "cnn"): {"no_bprop": [0.9, 2.8], "bprop": [0.8, 0.6], "dni": [0.9, 0.7], "cdni": [1.0, 0.8]},
    ("cifar10", "cnn"): {"no_bprop": [28.7, 38.1], "bprop": [17.9, 15.7], "dni": [19.5, 19.5], "cdni": [19.0, 16.4]},
}
# Percent, by method and by the layer after which the net is cut (0: not cut).
SINGLE_DNI = {("bprop", 0): 1.6, ("dni", 1): 1.8, ("dni", 5): 3.4, ("no_bprop", 1): 2.9, ("no_bprop", 5): 23.7}
# Percent, by number of layers.
STALE = {3: 9.1, 4: 11.8, 5: 15.4, 6: 19.0}

# Medians of the paper's dots in bins of p_update, in percent. A list that is shorter than `BIN_ENDS` is about the last.
BIN_ENDS = ("0.00-0.03", "0.03-0.06", "0.06-0.10", "0.10-0.15", "0.15-0.20", "0.20-0.25", "0.30-0.40", "0.50-0.60")
BIN_ENDS = (*BIN_ENDS, "0.80-0.90", "0.90-1.00")
MEDIANS = {
    ("fig_sparse_updates", "dni", 500_000): [4.6, 3.4, 2.8, 2.7, 2.4, 2.3, 2.2, 2.2, 2.2, 2.2],
    ("fig_sparse_updates", "dni", 250_000): [5.5, 3.9, 3.7, 3.1, 3.1, 3.0, 3.3, 3.2, 3.0],
    ("fig_sparse_updates", "cdni", 500_000): [1.9, 2.0, 2.1, 2.0, 2.0, 2.1, 2.2, 2.2, 2.4, 2.4],
    ("fig_sparse_updates", "cdni", 5_000): [5.9, 5.3, 4.2, 3.8, 3.2, 2.8, 2.6, 2.5],
    ("fig_complete_unlock", "dni", 500_000): [5.9, 3.8, 3.1, 2.7, 2.6, 2.4, 2.3, 2.2, 2.3, 2.3],
    ("fig_complete_unlock", "dni", 250_000): [5.4, 4.5, 4.0, 3.4, 3.3, 3.0, 3.3, 3.0, 3.2],
    ("fig_complete_unlock", "cdni", 500_000): [2.0, 2.2, 2.1, 2.2, 2.2, 2.2, 2.2, 2.2, 2.3, 2.4],
    ("fig_complete_unlock", "cdni", 5_000): [5.5, 4.7, 4.5, 3.9, 3.3, 3.0, 2.8],
}

# Longest sequences, and bits per character for Penn Treebank, in the order of `TRUNCATION_LENGTHS`.
TRUNCATION_LENGTHS = (2, 3, 4, 5, 8, 20, 40)
TABLE_RNN = {
    "copy": {"bptt": [7, 8, 10, 8], "dni": [16, 14, 18, 18], "dni_aux": [16, 17, 19, 18]},
    "repeat_copy": {"bptt": [7, 5, 19, 23], "dni": [39, 33, 39, 59], "dni_aux": [39, 59, 67, 59]},
    "ptb": {
        "bptt": [1.39, 1.38, 1.37, 1.37, 1.35, 1.35, 1.34],
        "dni": [1.37, 1.36, 1.35, 1.35, 1.34],
        "dni_aux": [1.37, 1.36, 1.35, 1.35, 1.33],
    },
}

# By method and truncation length T: iterations x T in thousands, and the bits per character there.
PTB_CURVES = {
    ("dni", 8): (
        [160, 200, 240, 280, 320, 360, 400, 440, 480, 520, 560, 600],
        [1.444, 1.412, 1.391, 1.376, 1.364, 1.355, 1.35, 1.346, 1.345, 1.343, 1.341, 1.34],
    ),
    ("bptt", 8): (
        [200, 240, 280, 320, 360, 400, 440, 480, 520, 560, 630],
        [1.443, 1.419, 1.404, 1.389, 1.376, 1.369, 1.363, 1.362, 1.357, 1.355, 1.354],
    ),
    ("bptt", 20): (
        [320, 400, 480, 560, 600, 680, 760, 800],
        [1.443, 1.409, 1.385, 1.37, 1.363, 1.358, 1.352, 1.349],
    ),
    ("bptt", 40): (
        [520, 600, 680, 800, 920, 1000, 1080, 1200],
        [1.448, 1.414, 1.4, 1.377, 1.365, 1.355, 1.351, 1.344],
    ),
}

# What the text says of two networks: method, value, direction. For the last two it prints no number.
TWO_NETWORK = {
    "steps_fraction_a": ("dni", 0.5, AT_MOST),
    "steps_fraction_b": ("dni", 1, AT_MOST),
    "final_difference_b": ("dni", 0, TWO_SIDED),
    "excess_over_guess_b": ("no_bprop", 0, TWO_SIDED),
}
