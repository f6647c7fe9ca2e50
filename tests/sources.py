"""The product's source, parsed once for all tests of a process that look at it."""

import ast
import functools


@functools.cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All nodes of a module, the module itself first. They are shared: nobody changes them."""
    return tuple(ast.walk(ast.parse(source)))
