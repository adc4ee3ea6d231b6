package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// patience is how long a server may say or take nothing before it is given up.
// A large artifact may take hours, as long as its bytes move.
const patience = 5 * time.Minute

// mlflowServer speaks to an MLflow tracking server.
type mlflowServer struct {
	base     string // such as http://127.0.0.1:5000
	token    string // sent as a bearer token where not empty
	client   *http.Client
	patience time.Duration
}

func newMLflowServer(base, token string) (*mlflowServer, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the server's address %q is not of the form http://HOST:PORT", base)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: time.Minute}).DialContext,
		TLSHandshakeTimeout: time.Minute, IdleConnTimeout: time.Minute}
	return &mlflowServer{strings.TrimSuffix(base, "/"), token, &http.Client{Transport: transport}, patience}, nil
}

// close lets the connections go.
func (m *mlflowServer) close() { m.client.CloseIdleConnections() }

// mlflowError is an error that the server reported.
type mlflowError struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

func (e *mlflowError) Error() string { return e.Code + ": " + e.Message }

// saysCode tells whether a server reported that error.
func saysCode(err error, code string) bool {
	var said *mlflowError
	return errors.As(err, &said) && said.Code == code
}

var errStalled = errors.New("the server has been silent for too long")

// watched ends a request in which nothing has moved for a while.
type watched struct {
	io.ReadCloser // the body that is sent or that is read
	timer         *time.Timer
	patience      time.Duration
	done          func() // where the request ends with this body
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.timer.Reset(w.patience)
	return n, err
}

func (w *watched) Close() error {
	if w.done != nil {
		w.done()
	}
	return w.ReadCloser.Close()
}

// do sends a request with a body of size bytes, which is closed, or without
// one. The answer's body must be closed.
func (m *mlflowServer) do(ctx context.Context, method, path string, body io.ReadCloser, size int64) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(m.patience, func() { cancel(errStalled) })
	done := func() { timer.Stop(); cancel(nil) }
	var sent io.Reader
	if size > 0 {
		sent = &watched{body, timer, m.patience, nil}
	} else if body != nil {
		body.Close()
	}
	request, err := http.NewRequestWithContext(ctx, method, m.base+path, sent)
	if err != nil {
		done()
		return nil, err
	}
	request.ContentLength = size // MLflow's server reads no bodies in chunks
	if m.token != "" {
		request.Header.Set("Authorization", "Bearer "+m.token)
	}
	if method == http.MethodPost || method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := m.client.Do(request)
	if err != nil {
		done()
		if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
			err = fmt.Errorf("%s %s: %w", method, path, cause)
		}
		return nil, err
	}
	answer := &watched{response.Body, timer, m.patience, done}
	if response.StatusCode/100 == 2 {
		return answer, nil
	}
	defer answer.Close()
	text, _ := io.ReadAll(io.LimitReader(answer, 1<<16))
	said := &mlflowError{}
	if json.Unmarshal(text, said) == nil && said.Code != "" {
		return nil, said
	}
	said.Message = fmt.Sprintf("%s %s: %s", method, path, response.Status)
	if said.Code = "INTERNAL_ERROR"; response.StatusCode == http.StatusNotFound {
		said.Code = "ENDPOINT_NOT_FOUND"
	}
	return nil, said
}

// call sends a request as JSON, or as a query where body is url.Values, and
// reads the answer into out.
func (m *mlflowServer) call(ctx context.Context, method, endpoint string, body, out any) error {
	endpoint = "/api/2.0/mlflow/" + endpoint
	var answer io.ReadCloser
	var err error
	if query, ok := body.(url.Values); ok {
		answer, err = m.do(ctx, method, endpoint+"?"+query.Encode(), nil, 0)
	} else {
		var text []byte
		if text, err = json.Marshal(body); err == nil {
			answer, err = m.do(ctx, method, endpoint, io.NopCloser(bytes.NewReader(text)), int64(len(text)))
		}
	}
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		out = &struct{}{}
	}
	return json.NewDecoder(answer).Decode(out)
}

func (m *mlflowServer) get(ctx context.Context, endpoint string, query url.Values, out any) error {
	return m.call(ctx, http.MethodGet, endpoint, query, out)
}

func (m *mlflowServer) post(ctx context.Context, endpoint string, body, out any) error {
	return m.call(ctx, http.MethodPost, endpoint, body, out)
}

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
