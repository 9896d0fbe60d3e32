"""What the agent did, judged by a rubric."""
