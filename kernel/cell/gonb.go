//go:build cells

package cell

// Cells may import what GoNB itself offers them. Nothing else here does, so this
// file keeps its version pinned in go.mod; no program is built with this tag.
import (
	_ "github.com/janpfeifer/gonb/cache"
	_ "github.com/janpfeifer/gonb/gonbui"
	_ "github.com/janpfeifer/gonb/gonbui/comms"
	_ "github.com/janpfeifer/gonb/gonbui/dom"
	_ "github.com/janpfeifer/gonb/gonbui/plotly"
	_ "github.com/janpfeifer/gonb/gonbui/widgets"
)
