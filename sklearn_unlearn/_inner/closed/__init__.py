"""How models forget in closed form: what they learn of rows are sums, which go backward."""
