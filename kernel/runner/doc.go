// Package runner runs notebooks without a browser, on any Jupyter kernel.
//
// [Find] looks a kernel up by name along Jupyter's search path, [Start] starts
// it and waits until it answers, [Kernel.Execute] runs code. [Run] does this for
// a whole notebook: it collects the outputs as Jupyter's own clients do, saves
// the notebook after every cell and stops at the first error.
//
// The messages: https://jupyter-client.readthedocs.io/en/stable/messaging.html;
// what becomes of them in the notebook follows nbclient, but that texts which
// follow each other on one stream are merged, as JupyterLab merges them.
//
// # Going on after a failure
//
// A new kernel knows nothing of the cells that the last one ran. With
// [Options.Previous], the notebook that a failed or interrupted run left, Run
// keeps the outputs of the cells that succeeded there and whose source is still
// the same, up to the first one that did not or is not, and goes on from that
// one. What the kept cells left behind is restored first:
//
//   - A Go kernel keeps only declarations from cell to cell, every cell being a
//     process of its own. The kept cells are sent again without the statements
//     that they ran; so nothing is computed twice.
//   - Every other kernel keeps variables. The kept cells are run again, their
//     outputs dropped; cells tagged "skip-on-resume" are left out, for those that
//     only compute what a later cell reads from a file.
package runner
