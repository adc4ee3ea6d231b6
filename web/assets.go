package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
)

// asset is a file of the pages' own. Its address holds its digest, so that
// browsers may keep it.
type asset struct {
	kind, text, digest string
}

func newAsset(kind, text string) asset {
	sum := sha256.Sum256([]byte(text))
	return asset{kind, text, hex.EncodeToString(sum[:8])}
}

func (h *Handler) assetPath(name string) string {
	return "/assets/" + name + "?" + h.assets[name].digest
}

func (h *Handler) asset(w http.ResponseWriter, r *http.Request) error {
	a, ok := h.assets[r.PathValue("name")]
	if !ok {
		return &problem{http.StatusNotFound, "there is no such file"}
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.text)))
	if r.URL.RawQuery == a.digest {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	_, err := io.WriteString(w, a.text)
	return err
}
