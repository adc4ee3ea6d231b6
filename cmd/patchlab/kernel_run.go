package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"patchlab/kernel/assist"
	"patchlab/kernel/child"
	"patchlab/kernel/front"
	"patchlab/kernel/message"
	"patchlab/kernel/spec"
)

// kernelRun is one call of "kernel run".
type kernelRun struct {
	connection, tools, goFolder, module, history, log string
}

func newKernelRunCommand() *cobra.Command {
	r := &kernelRun{}
	cmd := &cobra.Command{
		Use:    "run --connection-file FILE",
		Short:  "Run the kernel, as Jupyter does",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&r.connection, "connection-file", "", "the file that says where to listen")
	f.StringVar(&r.tools, "tools", "", "the folder with gonb, gopls and goimports")
	f.StringVar(&r.goFolder, "go", "", "the folder with the go command, where it is not on PATH")
	f.StringVar(&r.module, "module", "", "the module whose packages notebooks import")
	f.StringVar(&r.history, "history", "", "the file that keeps cells; \"none\" keeps them for the session only")
	f.StringVar(&r.log, "log", "", "a file for what GoNB logs")
	cmd.MarkFlagRequired("connection-file")
	return cmd
}

var kernelID = regexp.MustCompile(`^kernel-([0-9a-fA-F-]+)\.json$`)

func (r *kernelRun) run(cmd *cobra.Command) error {
	begin := time.Now()
	connection, err := message.ReadConnection(r.connection)
	if err != nil {
		return err
	}
	logf := func(format string, args ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), "patchlab kernel: %s: %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
	// Jupyter interrupts by message; Ctrl-C reaches a kernel only where it shares a terminal, and does not mean it.
	defer keepFromInterrupts()()
	ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, stopWatching := front.WatchParent(ctx)
	defer stopWatching()

	folder, err := os.MkdirTemp("", "patchlab-kernel-")
	if err == nil && len(folder) > 70 { // sockets' paths are short
		os.Remove(folder)
		folder, err = os.MkdirTemp("/tmp", "patchlab-kernel-")
	}
	if err != nil {
		return fmt.Errorf("making the kernel's folder: %w", err)
	}
	defer os.RemoveAll(folder)
	release, err := front.Guard(folder)
	if err != nil {
		return err
	}
	defer release()

	if _, err := exec.LookPath("go"); err != nil && r.goFolder != "" {
		if err := os.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+r.goFolder); err != nil {
			return err
		}
	}
	if r.tools == "" {
		if r.tools, err = spec.ToolsFolder(); err != nil {
			return err
		}
	}
	if root, _ := spec.Module(r.module); r.module != "" && root != r.module {
		logf("the module %s is gone; cells do without it", r.module)
		r.module = ""
	}

	options := front.Options{
		Connection: connection, Folder: folder, Logf: logf, Info: kernelInfo(),
		Child: child.Config{Tools: r.tools, Module: r.module},
	}
	session, err := observe(filepath.Join(folder, "session"), &options, logf)
	if err != nil {
		return err
	}
	defer func() {
		if closing := session.Close(); closing != nil {
			logf("ending the session: %v", closing)
		}
	}()
	if m := kernelID.FindStringSubmatch(filepath.Base(r.connection)); m != nil {
		options.Child.KernelID = m[1]
	}
	if r.log != "" {
		f, err := os.OpenFile(r.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("opening the log: %w", err)
		}
		defer f.Close()
		options.Child.Log = f
	}
	if r.history != "none" && r.history != "" {
		if options.History, err = front.OpenHistory(r.history); err != nil {
			logf("%v; cells are kept for this session only", err)
		}
	}
	assistant := assist.New(assist.Options{Tools: r.tools, Module: r.module, Folder: filepath.Join(folder, "assist"), Logf: logf})
	defer assistant.Close()
	options.Assistant = assistant
	options.Ready = func(ctx context.Context, slows func(string)) {
		if err := assistant.Warm(ctx); err != nil && ctx.Err() == nil {
			logf("starting the language server: %v", err)
		}
		r.warm(ctx, slows, logf)
	}
	logf("listening after %v, process %d", time.Since(begin).Round(time.Millisecond), os.Getpid())
	return front.Serve(ctx, options)
}

// warm fills Go's build cache in the background, if that has not been done.
func (r *kernelRun) warm(ctx context.Context, slows func(string), logf func(string, ...any)) {
	w := spec.Warming{Module: r.module, Flags: child.GoFlags(), Progress: io.Discard}
	if r.module == "" || w.Warmed() {
		return
	}
	const why = "Go compiles what cells may import, in the background, for the first time. Until that is done, cells take longer."
	logf(why)
	slows(why)
	defer slows("")
	begin := time.Now()
	switch err := w.Warm(ctx); {
	case err == nil:
		logf("compiled what cells may import in %v", time.Since(begin).Round(time.Second))
	case ctx.Err() == nil:
		logf("compiling what cells may import: %v", err)
	}
}

// keepFromInterrupts takes the program's handlers away and has SIGINT do nothing, until the function that it returns is
// called. Ignoring it for good would have the cells ignore it too.
func keepFromInterrupts() (stop func()) {
	signal.Reset(syscall.SIGTERM)
	signal.Ignore(os.Interrupt) // for no longer than there is no other handler
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	return func() { signal.Stop(c) }
}

// kernelInfo describes the kernel to Jupyter.
func kernelInfo() message.KernelInfoReply {
	version := strings.TrimPrefix(runtime.Version(), "go")
	return message.KernelInfoReply{
		Implementation: "patchlab", ImplementationVersion: "1",
		LanguageInfo: message.LanguageInfo{
			Name: "go", Version: version, MIMEType: "text/x-go", FileExtension: ".go",
			PygmentsLexer: "go", CodeMirrorMode: "go", NBConvertExporter: "script",
		},
		Banner:    "Patchlab (Go " + version + ")",
		HelpLinks: []message.HelpLink{{Text: "Go", URL: "https://go.dev/doc/"}, {Text: "GoMLX", URL: "https://pkg.go.dev/github.com/gomlx/gomlx"}},
	}
}
