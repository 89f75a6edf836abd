"""From a run's scores to tables, figures and pages; pure functions of what a run stored."""
