"""Every closed form of the notebooks, one file a subject; no random numbers, no torch.

Symbols: k width, n pool, d input dimension, L depth, M second moment of a kept margin, theta the
angle of a pair, w = cot(theta) its proper velocity, A = norm of a layer's margins, B ~ chi_{k-1}, z
~ N(0, 1). Angles are radians, rates nats a layer. "Ours" marks a derivation of this companion; the
layer itself is the authors' (arXiv 2309.15669).
"""

from .bell import (
    chsh,
    direction_cdf,
    layer_cosine,
    leaning_correlation,
    mean_cosine,
    mean_unseen_cosine,
    setting_distance,
    spin_correlation,
    training_correlation,
)
from .beyond import (
    ENTANGLED,
    attention_angle,
    batch_norm_angle,
    batch_norm_spread,
    depth_to_entangle,
    diffused_rapidity_cdf,
    entangling_time,
    mode_time,
    relu_angle,
    relu_step,
    relu_typical_angle,
    relu_uniform_rate,
    skip_angle,
    skip_growth,
    skip_loss,
    tanh_angle,
    tanh_fixed_point,
    trained_gain,
    trained_rank,
)
from .direction import (
    direction_cosine,
    direction_tangent,
    layer_excess,
    side_change_probability,
    tangent_levels,
    tangents,
    training_cosine,
    turn_cdf,
)
from .geometry import (
    gaussian_curvature,
    klein_chord,
    mean_random_cosine,
    rapidity_of_log,
    rapidity_staircase,
    world_line,
)
from .law import (
    bit_flip_probability,
    correlated_probability,
    layer_cdf,
    mean_log_lorentz_factor,
    mean_log_shifted,
    mean_log_velocity,
    mean_log_velocity_from,
    mean_square_velocity,
    noise_scale,
    velocity_scale,
    wide_angle,
)
from .loss import (
    bits_left,
    descent_factor,
    descent_scores,
    descent_weights,
    folded_loss_quantile,
    loss_cdf,
    loss_quantile,
    output_angles,
    shares_within,
)
from .margins import (
    WIDE,
    excess,
    excess_slope,
    exponents_in_force,
    finite_second_moment,
    inverse_norm_moments,
    log_chi_variance,
    log_growth_variance,
    log_norm_quantile,
    lyapunov_exponents,
    mean_log_chi,
    mean_log_norm,
    rapidity_gain,
    second_moment,
    shares,
)
from .reconciliation import (
    angle_of_unseen,
    bit_errors_cdf,
    folded_error,
    folded_error_cdf,
    mask_error,
    mean_log_mask_error,
    nearer_probability,
    opposite_probability,
)
from .robustness import (
    certified_share,
    climb_success,
    climb_time,
    decidability,
    leading_cosine,
    mean_square_tangent,
    mean_transfer_probability,
    prefix_log_sine,
    random_step_success,
    score_moments,
    shared_cosine,
    training_transfer_probability,
    transfer_probability,
)
