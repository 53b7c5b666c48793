"""Bytes ⇄ model: `decode` reads components and core modules, `encode` writes them.

With the kernel this is the only place that knows LEB128, section ids and index spaces of bytes. It checks the
grammar of Binary.md (and of the core binary format), not validity: whether an index exists or a type fits is the
engine's question, which validates every input before it is decoded, and `resolve`'s. Function bodies are never looked
into: the kernel rewrites them. Text is not read here either: the engine package turns it into bytes first.
"""
