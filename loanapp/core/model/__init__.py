"""How an amount is learned: features, network, estimator, metrics, training, bundle."""
