"""From what the user selected to stored results: plan, tasks, driver, journal."""
