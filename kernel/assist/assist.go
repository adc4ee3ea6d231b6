package assist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf16"

	"patchlab/kernel/front"
	"patchlab/kernel/process"
	"patchlab/kernel/source"
)

// Options say what an Assistant runs.
type Options struct {
	Tools  string   // the folder with gopls
	Module string   // the module that cells import; empty: none
	Folder string   // a private folder; it may be absent
	Env    []string // further variables for gopls
	Logf   func(format string, args ...any)
}

// Assistant is a front.Assistant.
type Assistant struct {
	options Options
	file    string // that the server sees

	mu      sync.Mutex // guards all below; held for the time of a request
	server  *server
	version int
}

var _ front.Assistant = (*Assistant)(nil)

// requestTime bounds how long a request may take.
const requestTime = 20 * time.Second

// New returns an assistant. Its language server starts with the first request or Warm.
func New(o Options) *Assistant {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	return &Assistant{options: o, file: filepath.Join(o.Folder, "cell.go")}
}

// server is a running gopls.
type server struct {
	rpc     *rpc
	process *process.Running
	in      io.Closer
}

// Warm starts the language server and has it load what cells commonly use.
func (a *Assistant) Warm(ctx context.Context) error {
	const code = "fmt.Pri"
	_, err := a.Complete(ctx, code, len(code), "")
	return err
}

// Close ends the language server.
func (a *Assistant) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stop()
	return nil
}

func (a *Assistant) stop() {
	if s := a.server; s != nil {
		a.server = nil
		process.KillTree(s.process.Pid, "")
		s.process.State()
		s.in.Close()
	}
}

var goLine = regexp.MustCompile(`(?m)^go (\d+\.\d+(?:\.\d+)?)`)

// workspace writes the folder that the server works in.
func (a *Assistant) workspace() error {
	if err := os.MkdirAll(a.options.Folder, 0o700); err != nil {
		return err
	}
	version := strings.TrimPrefix(runtime.Version(), "go")
	if parts := strings.SplitN(version, ".", 3); len(parts) > 2 {
		version = parts[0] + "." + parts[1]
	}
	version, _, _ = strings.Cut(version, " ")
	files := map[string]string{"cell.go": "package main\n\nfunc main() {}\n"}
	if a.options.Module != "" {
		b, err := os.ReadFile(filepath.Join(a.options.Module, "go.mod"))
		if err != nil {
			return fmt.Errorf("reading the module: %w", err)
		}
		if m := goLine.FindSubmatch(b); m != nil {
			version = string(m[1])
		}
		files["go.work"] = fmt.Sprintf("go %s\n\nuse (\n\t.\n\t%q\n)\n", version, a.options.Module)
	}
	files["go.mod"] = "module patchlabcell\n\ngo " + version + "\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(a.options.Folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// start starts the server, if it does not run.
func (a *Assistant) start(ctx context.Context) error {
	if a.server != nil {
		select {
		case <-a.server.rpc.ended:
			a.options.Logf("the language server has ended (%s) and is started again", a.server.process.State())
			a.stop()
		default:
			return nil
		}
	}
	if err := a.workspace(); err != nil {
		return fmt.Errorf("making the language server's folder: %w", err)
	}
	cmd := exec.Command(filepath.Join(a.options.Tools, "gopls"), "serve")
	cmd.Dir = a.options.Folder
	cmd.Env = append(append(os.Environ(), "GOWORK=", "TMPDIR="+a.options.Folder), a.options.Env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout = stdout
	running, err := process.Start(cmd)
	stdout.Close()
	if err != nil {
		out.Close()
		return fmt.Errorf("starting the language server: %w", err)
	}
	s := &server{process: running, in: in}
	s.rpc = connect(out, in, a.answer)
	go func() {
		<-s.rpc.ended
		out.Close()
	}()
	a.server, a.version = s, 0
	if err := a.initialize(ctx); err != nil {
		a.stop()
		return err
	}
	return nil
}

// settings are gopls's.
func settings() map[string]any {
	return map[string]any{
		"matcher": "CaseInsensitive", "completionBudget": "2s", "hoverKind": "FullDocumentation", "linksInHover": false,
		"usePlaceholders": false, "staticcheck": false, "vulncheck": "Off", "diagnosticsTrigger": "Save", "semanticTokens": false,
	}
}

func (a *Assistant) initialize(ctx context.Context) error {
	root := uri(a.options.Folder)
	err := a.server.rpc.call(ctx, "initialize", map[string]any{
		"processId": os.Getpid(), "rootUri": root,
		"workspaceFolders":      []any{map[string]any{"uri": root, "name": "cells"}},
		"initializationOptions": settings(),
		"capabilities": map[string]any{
			"workspace": map[string]any{"configuration": true, "workspaceFolders": true},
			"textDocument": map[string]any{
				"hover":      map[string]any{"contentFormat": []string{"markdown", "plaintext"}},
				"completion": map[string]any{"completionItem": map[string]any{"snippetSupport": false}},
			},
		},
	}, nil)
	if err != nil {
		return err
	}
	return a.server.rpc.notify("initialized", struct{}{})
}

// answer gives the server what it asks for.
func (a *Assistant) answer(method string, params json.RawMessage) any {
	if method != "workspace/configuration" {
		return nil
	}
	var p struct{ Items []any }
	if err := json.Unmarshal(params, &p); err != nil {
		return nil
	}
	all := make([]any, len(p.Items))
	for i := range all {
		all[i] = settings()
	}
	return all
}

func uri(path string) string { return "file://" + filepath.ToSlash(path) }

// show gives the server the text of the file.
func (a *Assistant) show(text string) error {
	a.version++
	if a.version == 1 {
		return a.server.rpc.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
			"uri": uri(a.file), "languageId": "go", "version": a.version, "text": text,
		}})
	}
	return a.server.rpc.notify("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": uri(a.file), "version": a.version},
		"contentChanges": []any{map[string]any{"text": text}},
	})
}

// position returns where an offset is, as the protocol counts: lines, and UTF-16 code units in them.
func position(text string, offset int) map[string]any {
	before := text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return map[string]any{"line": strings.Count(before, "\n"), "character": len(utf16.Encode([]rune(before[start:])))}
}

// ask shows the server a cell and asks about a position in it. Where the server has died, it is asked once more.
func (a *Assistant) ask(ctx context.Context, method string, c source.Composed, result any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTime, fmt.Errorf("no answer within %v", requestTime))
	defer cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	once := func() error {
		if err := a.start(ctx); err != nil {
			return err
		}
		if err := a.show(c.Text); err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		return a.server.rpc.call(ctx, method, map[string]any{
			"textDocument": map[string]any{"uri": uri(a.file)}, "position": position(c.Text, c.Offset),
		}, result)
	}
	err := once()
	if errors.Is(err, errGone) && ctx.Err() == nil {
		if s := a.server; s != nil {
			process.SignalAll([]int{s.process.Pid}, syscall.SIGKILL)
			<-s.rpc.ended
		}
		err = once()
	}
	return err
}
