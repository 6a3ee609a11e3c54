"""The registered estimators of scikit-learn, each with the class's own arguments as settings.

F. Pedregosa et al., "Scikit-learn: machine learning in Python" (JMLR 2011). Those that measure
distances or margins meet inputs of one scale: every coordinate of a task is on [-1, 1].
"""

from functools import partial

from simbias.models.estimators import scikit

random_forest = partial(scikit, "random-forest", "sklearn.ensemble:RandomForestClassifier")
gradient_boosting = partial(
    scikit, "gradient-boosting", "sklearn.ensemble:HistGradientBoostingClassifier"
)
decision_tree = partial(scikit, "decision-tree", "sklearn.tree:DecisionTreeClassifier")
nearest_neighbours = partial(scikit, "nearest-neighbours", "sklearn.neighbors:KNeighborsClassifier")
logistic_regression = partial(
    scikit, "logistic-regression", "sklearn.linear_model:LogisticRegression"
)
linear_svm = partial(scikit, "linear-svm", "sklearn.svm:LinearSVC")
svm = partial(scikit, "svm", "sklearn.svm:SVC")
mlp_classifier = partial(scikit, "mlp-classifier", "sklearn.neural_network:MLPClassifier")
