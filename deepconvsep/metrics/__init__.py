"""Scores of separated sources: BSS Eval, records, tables, published figures."""
