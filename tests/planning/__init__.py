"""What tests of the planner share."""
