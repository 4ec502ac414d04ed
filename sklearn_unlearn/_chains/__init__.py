"""Chains: which rows does each sub-model train on, in which order, and from which state?"""
