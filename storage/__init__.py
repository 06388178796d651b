"""Remembers: spool, packs, object stores, the index of instances and the casebook."""
