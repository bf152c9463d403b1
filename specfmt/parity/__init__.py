"""Proof that both generated programs compute the same."""
