"""Shared parts of gradient methods: passes, the network's state, layers, ReLU rules, sign reduction."""
