package launch

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// SlurmTemplate is the batch script as a template of package text/template, to be
// filled in with a [SlurmJob]. Users edit copies of it.
//
//go:embed templates/slurm.sh
var SlurmTemplate string

// SlurmJob is what a batch script is filled in with.
type SlurmJob struct {
	Name   string // of the sweep
	Job    string // its name in the queue
	Folder string // an absolute path that all nodes share
	// Command runs the program; its words are quoted for the shell.
	Command string
	// Array is "0-9%4", or "" for a single job.
	Array string
	// After is the job whose end this one waits for, or "".
	After string
	// Grace is how many seconds before the time limit the job gets SIGTERM.
	Grace                            int
	Cores                            int
	Partition, Time, Account, Memory string
	GPUs                             string
}

// QuotedFolder is the folder, quoted for the shell.
func (j SlurmJob) QuotedFolder() string { return Quote(j.Folder) }

// Script fills the template in.
func (j SlurmJob) Script(text string) ([]byte, error) {
	t, err := template.New("script").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the template of the job: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, j); err != nil {
		return nil, fmt.Errorf("the template of the job: %w", err)
	}
	if !bytes.Contains(b.Bytes(), []byte(j.Command)) {
		return nil, errors.New("the template of the job does not run {{.Command}}, which trains the trial")
	}
	return b.Bytes(), nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Quote joins words into a command line of the shell.
func Quote(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if !plainWord.MatchString(w) {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}

// Submit hands a batch script to Slurm and returns the job's number.
func Submit(ctx context.Context, script string, options ...string) (string, error) {
	out, err := slurm(ctx, "sbatch", append(append([]string{"--parsable"}, options...), script)...)
	if err != nil {
		return "", err
	}
	job, _, _ := strings.Cut(strings.TrimSpace(out), ";") // the cluster's name may follow
	if _, err := strconv.Atoi(job); err != nil {
		return "", fmt.Errorf("sbatch answered %q instead of a job's number", out)
	}
	return job, nil
}

// Cancel ends jobs: those that run get SIGTERM first.
func Cancel(ctx context.Context, jobs ...string) error {
	_, err := slurm(ctx, "scancel", jobs...)
	return err
}

// QueuedTask is a job, or a task of an array, that waits, runs or is ending.
type QueuedTask struct {
	Job    string
	Index  int    // of the array, or -1
	State  string // Slurm's, such as PENDING, RUNNING or COMPLETING
	Reason string // why it waits
	Node   string
}

// Queue lists this user's jobs. A job that has ended is not there, one that was
// requeued is.
func Queue(ctx context.Context) ([]QueuedTask, error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	out, err := slurm(ctx, "squeue", "--noheader", "--array", "--user="+me.Username, "--format=%F|%K|%T|%r|%N")
	if err != nil {
		return nil, err
	}
	var tasks []QueuedTask
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 5 {
			continue
		}
		index, err := strconv.Atoi(f[1])
		if err != nil {
			index = -1
		}
		tasks = append(tasks, QueuedTask{Job: f[0], Index: index, State: f[2], Reason: f[3], Node: f[4]})
	}
	return tasks, nil
}

// ErrNoSlurm is wrapped where this machine has no Slurm commands.
var ErrNoSlurm = errors.New("this machine has no Slurm commands; run this where jobs are submitted")

// answerTime is how long the controller may take to answer.
const answerTime = 20 * time.Second

// slurm runs one of Slurm's commands; its complaint is the error.
func slurm(ctx context.Context, name string, args ...string) (string, error) {
	if name != "sbatch" { // which may have submitted by the time it is given up
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerTime)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "", fmt.Errorf("%s: no answer within %v", name, answerTime)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%s: %w", name, ErrNoSlurm)
	}
	if err != nil {
		text := strings.Join(strings.Fields(strings.ReplaceAll(errs.String(), name+": error:", "")), " ")
		return "", fmt.Errorf("%s: %s", name, cmp.Or(text, err.Error()))
	}
	return out.String(), nil
}

var arraySize = regexp.MustCompile(`(?m)^MaxArraySize\s*=\s*(\d+)`)

// MaxArray is how many tasks an array may have.
func MaxArray(ctx context.Context) (int, error) {
	out, err := slurm(ctx, "scontrol", "show", "config")
	if err != nil {
		return 0, err
	}
	m := arraySize.FindStringSubmatch(out)
	if m == nil {
		return 1001, nil // Slurm's default
	}
	return strconv.Atoi(m[1]) // indices are below it
}
