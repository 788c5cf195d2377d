"""Use a trained run: its model in a notebook or script, its bare weights, its predictions."""
