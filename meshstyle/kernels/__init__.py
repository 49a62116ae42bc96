"""What is compiled for the user's machine when it is first needed.

A package of its own, since the tests' check of every signature's tensor axes must not wrap what numba compiles.
"""
