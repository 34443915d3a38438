"""Strictness for every test and every docstring example; the package itself sets nothing global."""

import jax
from jaxtyping import install_import_hook

# A silent (n,) - (n, 1) broadcast is the classic bug of a loss; a silent float64 the classic one of a chain.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The shapes and dtypes in the annotations are checked at each call.
install_import_hook("nebulium", "beartype.beartype")
