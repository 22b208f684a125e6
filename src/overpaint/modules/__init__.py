"""The training systems and the explainer's host, as Lightning modules over plain networks."""
