package notebook

import "patchlab/save"

// Write replaces the file at path with the notebook, or makes it, whole.
func (n *Notebook) Write(path string) error { return save.Bytes(path, n.Bytes()) }
