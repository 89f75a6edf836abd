"""From predictions to scores: protocols, splits, rules, adjustments, metrics, statistics."""
