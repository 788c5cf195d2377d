"""From today's checkout to a recorded run: plan, claim, frozen copy, provenance."""
