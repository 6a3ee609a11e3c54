"""Everything that has a name: the built-in entries of each kind."""

from simbias._registry import Entry, Registry

TASKS = Registry(
    "tasks",
    {
        name: Entry(f"simbias.tasks.catalogue:{name.replace('-', '_')}", summary)
        for name, summary in {
            "lms-5": "one linear coordinate and 5-slabs",
            "lms-7": "one linear coordinate and 7-slabs",
            "noisy-lms-5": "one noisy linear coordinate and 5-slabs",
            "noisy-lms-7": "one noisy linear coordinate and 7-slabs",
            "ms-5": "5-slabs only",
            "ms-7": "7-slabs only",
            "ms-5-7": "one 5-slab and 7-slabs",
            "noisy-ms-5-7": "one noisy 5-slab and 7-slabs",
            "lsn": "a linear and a slab coordinate in Gaussian noise",
        }.items()
    }
    | {
        "xor": Entry("simbias.tasks.xor:XorTask", "exclusive or of two slab coordinates"),
        "d-bat-toy": Entry("simbias.tasks.toys:d_bat_toy", "a plane of five slabs beside a line"),
        "two-moons": Entry("simbias.tasks.moons:MoonsTask", "two moons, held apart by a gap"),
        "mixture": Entry("simbias.tasks.mixture:MixtureTask", "a Gaussian for each class"),
        "digits": Entry("simbias.tasks.images:digits", "digits of 8 x 8 pixels, scikit-learn's"),
        "mnist": Entry("simbias.tasks.images:mnist", "MNIST, from files of one's own"),
        "personas": Entry("simbias.tasks.personas:PersonasTask", "labellers who disagree"),
        "dominoes": Entry("simbias.tasks.dominoes:DominoesTask", "a digit on top of another one"),
    },
)

NETWORKS = Registry(
    "networks",
    {
        "mlp": Entry("simbias.networks.mlp:MLP", "fully connected, width x depth hidden layers"),
        "cnn": Entry("simbias.networks.convolution:cnn", "one-dimensional convolutions"),
        "gru": Entry(
            "simbias.networks.recurrent:gru", "gated recurrent units, a few inputs a step"
        ),
        "committee": Entry(
            "simbias.networks.committee:Committee",
            "a layer of ReLUs with fixed signs, of Theorem 1",
        ),
        "ensemble": Entry(
            "simbias.networks.ensemble:ensemble", "members of any network, each trained alone"
        ),
    },
)

METHODS = Registry(
    "methods",
    {
        name: Entry(f"simbias.methods.{place}", summary)
        for name, (place, summary) in {
            "sgd": ("sgd:sgd", "minibatch SGD with momentum and weight decay"),
            "adam": ("adam:adam", "steps by running means of gradients and their squares"),
            "adamw": ("adam:adamw", "Adam with decoupled weight decay"),
            "rmsprop": ("rmsprop:rmsprop", "gradients over the root of a mean of their squares"),
            "muon": ("muon:muon", "orthogonalised momentum of matrices, Adam on all else"),
            "optax": ("by_name:optax_method", "any transformation of optax, by name"),
            "sam": ("sam:sam", "SGD on the gradient at the worst point near the weights"),
            "asam": ("sam:asam", "SAM with a distance in proportion to each weight"),
            "spectral-decoupling": (
                "spectral_decoupling:spectral_decoupling",
                "SGD with a penalty on the mean squared logit",
            ),
            "label-smoothing": (
                "label_smoothing:label_smoothing",
                "SGD on labels that are partly spread over all classes",
            ),
            "mixup": ("mixup:mixup", "SGD on points between two of a batch"),
            "ema": ("averages:ema", "SGD with an exponential moving average of its weights"),
            "swa": ("averages:swa", "SGD with the mean of its late weights"),
            "adversarial": ("adversarial:adversarial", "SGD on points attacked in an L2 ball"),
            "jtt": ("jtt:jtt", "just train twice: errors of a first network weigh more"),
            "useful": ("useful:useful", "what is not learned early stands twice"),
            "group-dro": ("group_dro:group_dro", "SGD on the worst group's loss"),
            "last-layer": ("last_layer:last_layer", "logits refitted on balanced groups"),
            "d-bat": ("d_bat:d_bat", "a second network that contradicts a first one"),
            "pretraining": ("pretraining:pretraining", "SGD from part of the way to the slabs"),
            "reinforce": ("reinforce:reinforce", "policy gradient for reward 1 of a right label"),
        }.items()
    },
)

LOSSES = Registry(
    "losses",
    {
        name: Entry(f"simbias.losses.functions:{name.replace('-', '_')}", summary)
        for name, summary in {
            "cross-entropy": "negative log-likelihood under a softmax",
            "hinge": "distance of the label's logit from a margin of 1 over all others",
            "square": "half the squared distance from the label's indicator",
            "logistic": "a binary cross-entropy for each class, on labels that may be smoothed",
        }.items()
    },
)

ESTIMATORS = Registry(
    "estimators",
    {
        name: Entry(f"simbias.models.scikit:{name.replace('-', '_')}", summary)
        for name, summary in {
            "random-forest": "averaged trees on resampled points",
            "gradient-boosting": "trees fitted one after the other, on histograms",
            "decision-tree": "one tree, grown to pure leaves",
            "nearest-neighbours": "the label of the nearest training points",
            "logistic-regression": "a linear rule of least cross-entropy",
            "linear-svm": "a linear rule of largest margin",
            "svm": "a rule of largest margin in a kernel's space",
            "mlp-classifier": "scikit-learn's own fully connected network",
        }.items()
    }
    | {
        "nngp": Entry("simbias.models.kernels:nngp", "regression by an infinitely wide network"),
        "ntk": Entry("simbias.models.kernels:ntk", "an infinitely wide network, trained"),
        "import": Entry("simbias.models.by_path:by_path", "any class with fit, by its path"),
        "torch": Entry("simbias.models.by_path:of_torch", "a torch module with its own training"),
    },
)

DIRECTIONS = Registry(
    "directions",
    {
        name: Entry(f"simbias.directions.finders:{place}", summary)
        for name, (place, summary) in {
            "mean-difference": ("mean_difference", "difference of mean activations, of k pairs"),
            "probe": ("probe", "weights of a logistic regression"),
            "principal-component": ("principal_component", "largest variance, whatever the labels"),
            "discriminant": ("discriminant", "what LEACE reads of the label"),
            "gradient": ("gradient", "mean gradient of label 1's lead"),
            "random": ("control", "a random direction, the control of all others"),
        }.items()
    },
)

# A suite's reference is a package and a TOML file in it.
SUITES = Registry(
    "suites",
    {
        "pitfalls": Entry(
            "simbias.suites:pitfalls.toml", "Table 2 of Shah et al. (2020), with ms-7"
        ),
        "phase": Entry("simbias.suites:phase.toml", "where in d, n and depth a network memorises"),
        "bounds": Entry(
            "simbias.suites:bounds.toml", "learned and memorised networks for bounds to tell apart"
        ),
        "certify": Entry(
            "simbias.suites:certify.toml", "rising n: from how many points on bounds certify"
        ),
        "mitigation": Entry(
            "simbias.suites:mitigation.toml", "learners side by side: who resists simplicity bias"
        ),
        "collapse": Entry(
            "simbias.suites:collapse.toml", "models that learn from what models wrote"
        ),
        "noise": Entry(
            "simbias.suites:noise.toml", "labels that are mostly wrong, and three infinite batches"
        ),
        "compute": Entry(
            "simbias.suites:compute.toml",
            "width and updates that a budget of compute is best spent on",
        ),
        "directions": Entry(
            "simbias.suites:directions.toml", "edits of layers, and what networks know unused"
        ),
        "prefer": Entry(
            "simbias.suites:prefer.toml", "networks and achievable solutions for bounds to prefer"
        ),
    },
)

BOUNDS = Registry(
    "bounds",
    {
        name: Entry(f"simbias.bounds.{module}:{name.replace('-', '_')}", summary)
        for module, entries in {
            "certificates": {
                "hoeffding": "held-out points, Hoeffding",
                "empirical-bernstein": "held-out points, sample variance",
                "chernoff-kl": "held-out points, relative entropy",
                "clopper-pearson": "held-out points, exact binomial",
                "beta-binomial": "held-out points, at every number of them at once",
            },
            "capacity": {
                "occam": "bits of the stored network",
                "vc-additive": "growth function, additive deviation",
                "vc-relative": "growth function, relative deviation",
            },
            "margin": {
                "golowich-frobenius": "margins over the product of Frobenius norms",
                "golowich-path": "margins over the l1 path norm",
            },
            "spectral": {
                "bartlett-foster-telgarsky": "margins, spectral norms, distances from the start",
                "neyshabur-spectral": "margins, spectral norms, PAC-Bayes",
            },
            "compression": {"compression": "code length of the quantised network"},
            "stochastic": {
                "pac-bayes-kl": "PAC-Bayes, Maurer and Seeger, prior at the initialisation",
                "pac-bayes-catoni": "PAC-Bayes, Catoni with a union over lambda",
                "pac-bayes-mcallester": "PAC-Bayes, McAllester",
                "pac-bayes-data-prior": "PAC-Bayes, prior learned on half the points",
            },
            "disintegrated": {
                "pac-bayes-disintegrated": "PAC-Bayes, one network drawn from the posterior",
            },
            "stability": {"stability": "stability of SGD, whose assumptions never hold here"},
            "convergence": {
                "uniform-convergence": "what no two-sided uniform-convergence bound can be below",
            },
            "retraining": {
                "replace-one": "stability on average, by training with one point replaced",
                "rademacher-floor": "what no bound by Rademacher complexity can be below",
            },
            "marginal": {
                "marginal-likelihood": "PAC-Bayes of the initialisation that fits, approximate",
            },
            "f_cmi": {"f-cmi": "what predictions tell of the training set, an estimate"},
            "measures": {
                "frobenius-product": "product of Frobenius norms",
                "spectral-product": "product of spectral norms",
                "path-norm": "l1 norm over paths",
                "l1-norm": "sum of absolute weights",
                "l2-norm": "Euclidean norm of the weights",
                "distance-from-initialisation": "Euclidean distance from the start",
                "inverse-margin": "spectral product over the 10% margin quantile",
                "sharpness": "top Hessian eigenvalue of the training loss",
            },
        }.items()
        for name, summary in entries.items()
    },
)

# All else, the summary too, stands where a quantity is declared; the order is that of columns.
QUANTITIES = Registry(
    "quantities",
    {
        name: Entry(f"simbias.{module}:{name}", "")
        for module, names in {
            "quantities.settings": (
                "dim", "noise", "n_train", "batch", "width", "depth", "learning_rate",
                "weight_decay",
            ),
            "quantities.reported": (
                "updates", "train_loss", "train_accuracy", "train_error", "risk", "test_accuracy",
                "s_randomised_accuracy", "sc_randomised_accuracy", "s_randomised_auc",
                "sc_randomised_auc", "exceptions", "exceptions_fitted", "exceptions_fresh",
                "memorised", "simple_agreement", "achievable_agreement", "flips", "flips_fitted",
                "flips_possible", "flips_fresh",
            ),
            "quantities.learned": (
                "gap", "excess_risk", "transition_updates", "early_stopping_gain",
                "island_excess", "log_weight_ratio", "shifted_accuracy", "control_risk",
                "early_stopping_difference", "seed_agreement", "conflict_slope",
                "worst_group_accuracy", "corruption_error",
            ),
            "quantities.robustness": (
                "attacked_accuracy", "universal_share", "ensemble_gain", "sampled_accuracy",
            ),
            "quantities.directions": (
                "edited_accuracy", "edit_switched", "edit_kept", "addition_residual",
                "refitted_risk", "dose_agreement", "decoded_beyond", "decoded_before",
                "seed_similarity",
            ),
            "quantities.along_training": (
                "noise_scale", "label_noise_scale", "exceptions_late", "flips_late",
                "best_accuracy", "exceptions_forgotten", "flips_forgotten", "stopping_gain",
                "good_answers",
            ),
            "bounds.quantities": (
                "held_out_points",
                "bound_value",
                "bound_valid",
                "certifies",
            ),
            "generations.quantities": ("lineage_mean", "lineage_misfit", "lineage_value"),
            "bounds.enough": (
                "answered", "answered_risk", "set_size", "set_missing", "revealing_points",
            ),
        }.items()
        for name in names
    },
)  # fmt: skip

# The summaries of these three stand where they are defined.
UNITS = Registry(
    "units",
    {name: Entry(f"simbias.quantities.units:{name}", "") for name in ("network", "pair", "point")},
)

TESTS = Registry(
    "tests",
    {
        n: Entry(f"simbias.claims.procedures:{n.replace('-', '_')}", "")
        for n in "clopper-pearson beta-binomial sign betting permutation bootstrap mcnemar".split()
    },
)

FIGURES = Registry(
    "figures",
    {
        name: Entry(f"simbias.plots.run:{name}_of", "")
        for name in (
            "boundary", "training", "table", "islands", "phase", "bounds", "discrimination",
            "certify", "preference", "claims", "reproduction", "visibility", "leaderboard",
        )
    }
    | {
        name: Entry(f"simbias.plots.laws:{name}_of", "")
        for name in (
            "lineages", "tails", "threshold", "degradation", "noise", "personas", "compute",
        )
    }
    | {
        name: Entry(f"simbias.plots.asked:{name}_of", "")
        for name in ("doses", "effects", "decoded", "alike", "seeds")
    },
)  # fmt: skip

EXPERIMENTS = Registry(
    "experiments",
    {
        name: Entry(
            f"simbias.experiments.{name}:{name}", ""
        )  # its summary stands where it is defined
        for name in ("classify", "estimators", "solutions", "generations", "directions")
    },
)

# A claim file's reference is a package and a TOML file in it; those of this package are found in
# simbias/claims/builtin.
CLAIMS = Registry("claims", {})

REGISTRIES = {
    registry.kind: registry
    for registry in (
        TASKS, NETWORKS, LOSSES, METHODS, ESTIMATORS, DIRECTIONS, QUANTITIES, UNITS, BOUNDS, TESTS,
        EXPERIMENTS, SUITES, FIGURES,
    )
}  # fmt: skip
