package front

import (
	"patchlab/kernel/cell/show"
	"patchlab/kernel/message"
)

// standAlone replaces the script by which GoNB's package plotly draws a figure, and which needs a library from the
// network, by the figure itself and a static picture of it.
func standAlone(d *message.DisplayData) {
	page, ok := d.Data["text/html"].(string)
	if !ok {
		return
	}
	if figure, ok := show.FromScript(page); ok {
		d.Data = message.Bundle(figure)
	}
}
