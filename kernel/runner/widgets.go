package runner

import (
	"encoding/base64"

	"patchlab/kernel/notebook"
	"patchlab/kernel/notebook/ordered"
)

// widgetState is the MIME type under which a notebook keeps its widgets.
const widgetState = "application/vnd.jupyter.widget-state+json"

// widgets are the states of the notebook's ipywidgets, by comm ID, so that they
// can be shown without a kernel.
type widgets map[string]*widget

type widget struct {
	state   *ordered.Object
	buffers map[string]*ordered.Object // by the JSON of their paths
	order   []string
}

// handle takes in the content of a comm_open or comm_msg.
func (w widgets) handle(content *ordered.Object, buffers [][]byte) {
	data := content.Object("data")
	state := data.Object("state")
	if state == nil {
		return
	}
	id := content.Text("comm_id")
	one := w[id]
	if one == nil {
		one = &widget{state: &ordered.Object{}, buffers: map[string]*ordered.Object{}}
		w[id] = one
	}
	for _, key := range state.Keys() {
		one.state.Set(key, state.Get(key))
	}
	for i, path := range data.Items("buffer_paths") {
		if i >= len(buffers) {
			break
		}
		b := &ordered.Object{}
		b.Set("data", ordered.String(base64.StdEncoding.EncodeToString(buffers[i])))
		b.Set("encoding", ordered.String("base64"))
		b.Set("path", path)
		key := string(ordered.Append(nil, path, ""))
		if one.buffers[key] == nil {
			one.order = append(one.order, key)
		}
		one.buffers[key] = b
	}
}

// store writes the states into the notebook's metadata.
func (w widgets) store(n *notebook.Notebook) {
	if len(w) == 0 {
		return
	}
	states := &ordered.Object{}
	for id, one := range w {
		if one.state.Get("_model_name") == nil {
			continue
		}
		o := &ordered.Object{}
		for _, key := range []string{"model_name", "model_module", "model_module_version"} {
			if v := one.state.Get("_" + key); v != nil {
				o.Set(key, v)
			}
		}
		o.Set("state", one.state)
		if len(one.order) > 0 {
			list := &ordered.Array{}
			for _, key := range one.order {
				list.Items = append(list.Items, one.buffers[key])
			}
			o.Set("buffers", list)
		}
		states.Set(id, o)
	}
	all := &ordered.Object{}
	all.Set("state", states)
	all.Set("version_major", ordered.Scalar("2"))
	all.Set("version_minor", ordered.Scalar("0"))
	ordered.Sort(all)
	n.Metadata().Sub("widgets").Set(widgetState, all)
}
