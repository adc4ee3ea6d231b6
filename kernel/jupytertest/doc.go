// Package jupytertest gives tests the real Jupyter programs: the Python
// environment .venv/jupyter, which "make deps" installs.
package jupytertest
