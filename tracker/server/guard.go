package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// guard decides which requests are looked at.
type guard struct {
	hosts map[string]bool
	token [sha256.Size]byte // digest of the token
	asks  bool              // whether a token is asked for
}

func newGuard(o Options) guard {
	g := guard{hosts: map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}}
	for _, host := range o.Hosts {
		g.hosts[strings.ToLower(host)] = true
	}
	if o.Token != "" {
		g.asks, g.token = true, sha256.Sum256([]byte(o.Token))
	}
	return g
}

func forbidden(message string) error {
	return &apiError{http.StatusForbidden, "PERMISSION_DENIED", message}
}

// check refuses requests for a host that is not ours (a web page whose name
// was rebound to this machine), from another web site, or without the token. A
// link may stand anywhere, though, for instance in a notebook.
func (g guard) check(r *http.Request) error {
	if !g.hosts[hostOf(r.Host)] {
		return forbidden("this server does not answer for the host that the request names: start it with --host and that name, if the name is its own")
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return forbidden("requests from other web sites are refused")
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" && !followed(r) {
		return forbidden("requests from other web sites are refused")
	}
	if g.asks && !g.known(r) {
		message := "a token is required: set MLFLOW_TRACKING_TOKEN"
		if r.Header.Get("Authorization") != "" {
			message = "the token is not this server's: set MLFLOW_TRACKING_TOKEN to the one that it was started with"
		}
		return &apiError{http.StatusUnauthorized, "UNAUTHENTICATED", message}
	}
	return nil
}

// followed tells whether somebody follows a link: the browser then shows the
// answer in a tab, where the page with the link cannot read it, and a GET
// changes nothing.
func followed(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// hostOf is a Host header without its port, in lower case.
func hostOf(header string) string {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// known tells whether a request carries the token: as a bearer, or as the
// password of any user. Digests are compared, in constant time.
func (g guard) known(r *http.Request) bool {
	_, token, ok := r.BasicAuth()
	if !ok {
		token, ok = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 && ok
}
