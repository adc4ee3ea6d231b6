// Package spec makes the kernel known to Jupyter: a kernelspec named patchlab, with logos, that runs this program; and
// the programs behind it, gonb, gopls and goimports, built once from pinned sources into a cache folder.
//
// See "Kernel specs" in https://jupyter-client.readthedocs.io/en/stable/kernels.html.
package spec
