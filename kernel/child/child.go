package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"patchlab/kernel/message"
	"patchlab/kernel/process"
	"patchlab/kernel/zmtp"
)

// ErrDied says that GoNB has ended while it was needed.
var ErrDied = errors.New("the process that compiles and runs the cells has ended")

// startTime bounds how long GoNB may take until it answers.
const startTime = 60 * time.Second

// Child is a running GoNB. Execute is called by one goroutine at a time; the other methods by any.
type Child struct {
	config  Config
	process *process.Running
	key     message.Key
	session *message.Session
	pipe    *cellPipe
	behind  []*background // one for each of streams

	shell, stdin, published *zmtp.Client
	receiving               sync.WaitGroup

	resultFile   string // where the function lies that shows a cell's result
	resultSource string // what it has; both belong to the goroutine that calls Execute

	mu      sync.Mutex
	current *run
	owner   string     // Request.ID of the cell that left something running last
	late    sync.Mutex // one call of Config.Late at a time
	once    sync.Once
}

// Start starts GoNB and waits until it answers. On an error nothing is left behind.
func Start(ctx context.Context, config Config) (*Child, error) {
	if config.Logf == nil {
		config.Logf = func(string, ...any) {}
	}
	if config.Late == nil {
		config.Late = func(string, string, json.RawMessage) {}
	}
	if config.KernelID == "" {
		config.KernelID = message.NewID()
	}
	connection, file, err := config.prepare()
	if err != nil {
		return nil, fmt.Errorf("preparing GoNB's folder: %w", err)
	}
	c := &Child{config: config, key: message.Key(connection.Key), session: message.NewSession("patchlab")}
	if err := c.start(ctx, file, connection); err != nil {
		c.Close()
		return nil, fmt.Errorf("starting GoNB: %w", err)
	}
	return c, nil
}

func (c *Child) start(ctx context.Context, file string, connection message.Connection) error {
	var err error
	if c.pipe, err = openPipe(c.config.pipe(), c.cellMessage, c.config.Logf); err != nil {
		return err
	}
	for _, stream := range streams {
		b, err := openBackground(c.config.pipe()+"."+stream, func(text string) { c.backgroundText(stream, text) })
		if err != nil {
			return err
		}
		c.behind = append(c.behind, b)
	}
	args := []string{"--kernel", file, "--raw_error"}
	if c.config.Module != "" {
		args = append(args, "--go_work", c.config.Module)
	}
	cmd := exec.Command(filepath.Join(c.config.Tools, "gonb"), args...)
	cmd.Env = c.config.environ()
	log := &tail{to: c.config.Log}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = time.Second // cells that live on may hold its standard error
	if c.process, err = process.Start(cmd); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("no answer within %v", startTime))
	defer cancel()
	go func() { // a GoNB that ends at once answers nothing
		select {
		case <-c.process.Ended():
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := c.connect(ctx, connection); err != nil {
		select {
		case <-c.process.Ended():
			return fmt.Errorf("%w (%s)%s", ErrDied, c.process.State(), log.last())
		default:
			return err
		}
	}
	return c.settle()
}

// connect opens the sockets and waits until GoNB answers on both sides.
func (c *Child) connect(ctx context.Context, connection message.Connection) error {
	// GoNB asks for input at the identity from which the cell came.
	options := zmtp.Options{Identity: []byte(c.session.ID), Log: c.config.Logf}
	dial := func(ch message.Channel, kind zmtp.Kind) (*zmtp.Client, error) {
		network, address := connection.Address(ch)
		return zmtp.Dial(ctx, network, address, kind, options)
	}
	var err error
	if c.published, err = dial(message.IOPub, zmtp.Sub); err != nil {
		return err
	}
	if err := c.published.Subscribe(""); err != nil {
		return err
	}
	if c.stdin, err = dial(message.Stdin, zmtp.Dealer); err != nil {
		return err
	}
	if c.shell, err = dial(message.Shell, zmtp.Dealer); err != nil {
		return err
	}
	// What is published before the subscription has arrived is lost, so ask until something comes.
	for seen := false; !seen; {
		request, err := c.session.New(message.TypeKernelInfoRequest, struct{}{})
		if err != nil {
			return err
		}
		if err := c.send(c.shell, request); err != nil {
			return err
		}
		again := time.After(50 * time.Millisecond)
	waiting:
		for {
			select {
			case _, ok := <-c.published.Messages():
				if !ok {
					return ErrDied
				}
				seen = true
				break waiting
			case _, ok := <-c.shell.Messages():
				if !ok {
					return ErrDied
				}
			case <-again:
				break waiting
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	c.receiving.Go(c.receivePublished)
	c.receiving.Go(c.receiveReplies)
	c.receiving.Go(c.receiveInput)
	return nil
}

// settle makes GoNB ready for cells.
func (c *Child) settle() error {
	folders, err := filepath.Glob(filepath.Join(c.config.temp(), "gonb_*"))
	if err != nil || len(folders) == 0 {
		return fmt.Errorf("GoNB made no folder in %s", c.config.temp())
	}
	c.resultFile = filepath.Join(folders[0], "patchlab_result.go")
	if err := c.provideResult(false); err != nil {
		return err
	}
	if c.config.Module == "" {
		return nil
	}
	// A workspace brings what cells import; "go get" would go to the network for the module itself.
	outcome, err := c.Execute(Request{Code: "%noautoget", Silent: true}, nil)
	if err == nil && outcome.Error != nil {
		err = errors.New(outcome.Error.Value)
	}
	return err
}

// Source returns the Go file that GoNB built last: all declarations so far, and the main function of the last cell.
func (c *Child) Source() (string, error) {
	files, err := filepath.Glob(filepath.Join(c.config.temp(), "gonb_*", "main.go"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("GoNB has built nothing yet")
	}
	b, err := os.ReadFile(files[0])
	return string(b), err
}

// Folder returns the folder in which GoNB builds the cells.
func (c *Child) Folder() string {
	folders, _ := filepath.Glob(filepath.Join(c.config.temp(), "gonb_*"))
	if len(folders) == 0 {
		return ""
	}
	return folders[0]
}

// Process returns the number of GoNB's process.
func (c *Child) Process() int { return c.process.Pid }

// entry is in the environment of GoNB and all that it starts.
func (c *Child) entry() string { return CellPipe + "=" + c.config.pipe() }

// Ended is closed when GoNB has ended, whatever the reason; State then says how.
func (c *Child) Ended() <-chan struct{} { return c.process.Ended() }

// State returns how GoNB ended, such as "signal: killed".
func (c *Child) State() string { return c.process.State() }

// Close interrupts a running cell, ends GoNB and all that it has started, and removes the folder.
func (c *Child) Close() error {
	var err error
	c.once.Do(func() {
		if c.process != nil {
			c.mu.Lock()
			running := c.current
			c.mu.Unlock()
			if running != nil {
				running.ifRuns(c.interruptOnce)
				select {
				case <-running.done:
				case <-c.process.Ended():
				case <-time.After(interruptTime):
				}
			}
			process.KillTree(c.process.Pid, c.entry())
			<-c.process.Ended()
		}
		for _, s := range []*zmtp.Client{c.shell, c.stdin, c.published} {
			if s != nil {
				s.Close()
			}
		}
		c.receiving.Wait()
		if c.pipe != nil {
			c.pipe.close()
		}
		for _, b := range c.behind {
			b.close()
		}
		err = os.RemoveAll(c.config.Folder)
	})
	return err
}

func (c *Child) send(to *zmtp.Client, m *message.Message) error {
	frames, err := c.key.Encode(m)
	if err != nil {
		return err
	}
	return to.Send(frames)
}
