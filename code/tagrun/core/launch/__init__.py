"""From a recorded run to a trained one: start, resume, engines, summary, result commit."""
