// Package jupytertest gives tests the real Jupyter programs: the Python
// environment .venv/jupyter and the programs behind the kernel, which "make deps"
// installs.
package jupytertest
