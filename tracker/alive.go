package tracker

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// silence is after how long without a sign of life a writer of another
// machine counts as gone. A writer of this machine is looked up directly.
const silence = 50 * time.Second

// process says which process on which machine writes a run.
type process struct {
	host  string // host name, boot and process namespace: within it pids are comparable
	pid   int
	began int64 // clock ticks from boot to the process's start: pids are reused
}

func thisProcess() process {
	name, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	p := process{pid: os.Getpid(), host: fmt.Sprintf("%s %s %s", name, strings.TrimSpace(string(boot)), space)}
	p.began, _ = startTime(p.pid)
	return p
}

// startTime reads when a process of this machine started, in clock ticks since
// boot; ok is false where there is no such process (or no /proc), or only the
// remains of one.
func startTime(pid int) (ticks int64, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	_, after, _ := strings.Cut(string(stat), ") ") // behind the name, which may hold anything
	fields := strings.Fields(after)
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	ticks, err = strconv.ParseInt(fields[19], 10, 64)
	return ticks, err == nil
}

// lives tells whether a writer, last heard of at beat, still lives: surely
// where it shares this process's machine, else by how long it has been silent.
func (p process) lives(writer process, beat, now time.Time) bool {
	if p.began != 0 && writer.began != 0 && p.host == writer.host {
		began, ok := startTime(writer.pid)
		return ok && began == writer.began
	}
	return now.Sub(beat) < silence
}

// claim makes this process the run's writer.
func (db *DB) claim(ctx context.Context, tx *sql.Tx, run int64) error {
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO writer (run, host, pid, began, beat) VALUES (?, ?, ?, ?, ?)`,
		run, db.host.host, db.host.pid, db.host.began, db.now().UnixMicro())
	return err
}

// writerLives tells whether a running run's writer still lives.
func (db *DB) writerLives(ctx context.Context, q querier, run int64) (bool, error) {
	var w process
	var beat int64
	err := q.QueryRowContext(ctx, `SELECT host, pid, began, beat FROM writer WHERE run = ?`, run).
		Scan(&w.host, &w.pid, &w.began, &beat)
	if err == sql.ErrNoRows {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return db.host.lives(w, time.UnixMicro(beat), db.now()), nil
}

// writes tells whether this process writes a run by way of r. The ID is asked
// for besides the row's number, which another run may have after gc.
func (db *DB) writes(ctx context.Context, q querier, r *Run) (bool, error) {
	db.mu.Lock()
	current := db.open[r.key]
	db.mu.Unlock()
	if current != r {
		return false, nil
	}
	var ours bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM writer JOIN run ON run.id = writer.run
		WHERE writer.run = ? AND run.ulid = ? AND writer.host = ? AND writer.pid = ? AND writer.began = ?)`,
		r.key, r.id, db.host.host, db.host.pid, db.host.began).Scan(&ours)
	return ours, err
}

// heartbeat says that this process's runs are alive. A failure is no news:
// the next one may succeed, and points fail louder.
func (db *DB) heartbeat() {
	_ = db.signWriters(`UPDATE writer SET beat = @now WHERE run = @run AND pid = @pid AND host = @host`)
}

// release gives up this process's runs that were not finished.
func (db *DB) release() error {
	return db.signWriters(`DELETE FROM writer WHERE run = @run AND pid = @pid AND host = @host AND @now`)
}

func (db *DB) signWriters(statement string) error {
	db.mu.Lock()
	runs := slices.Collect(maps.Keys(db.open))
	db.mu.Unlock()
	if len(runs) == 0 {
		return nil
	}
	return db.transact(context.Background(), func(tx *sql.Tx) error {
		for _, run := range runs {
			_, err := tx.Exec(statement, sql.Named("now", db.now().UnixMicro()), sql.Named("run", run),
				sql.Named("pid", db.host.pid), sql.Named("host", db.host.host))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
