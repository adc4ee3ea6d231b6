package tracker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// incoming begins the names of content that has not its final name yet.
const incoming = "incoming-"

// artifactFolder is where the content of artifacts lives: X.artifacts for
// X.db, and NAME-artifacts for any other NAME (as SQLite's log is NAME-wal), so
// that no two databases of a folder share one.
func (db *DB) artifactFolder() string {
	path := db.path
	if whole, err := filepath.EvalSymlinks(path); err == nil { // SQLite too puts its log beside the file itself
		path = whole
	}
	if name, cut := strings.CutSuffix(path, ".db"); cut {
		return name + ".artifacts"
	}
	return path + "-artifacts"
}

// contentPath is where content of a digest lives within the folder.
func contentPath(digest []byte) string {
	name := hex.EncodeToString(digest)
	return name[:2] + "/" + name[2:]
}

func checkDigest(digest []byte) error {
	if len(digest) != sha256.Size {
		return fmt.Errorf("its digest %x has %d bytes, not %d: the file is damaged", digest, len(digest), sha256.Size)
	}
	return nil
}

// root opens the artifact folder; nothing outside it can be reached through it.
func (db *DB) root() (*os.Root, error) {
	root, err := os.OpenRoot(db.artifactFolder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &noFolder{db.artifactFolder(), filepath.Base(db.path), err}
	}
	return root, err
}

// noFolder says what people forget who copy a database.
type noFolder struct {
	folder, file string
	err          error
}

func (n *noFolder) Error() string {
	return fmt.Sprintf("the folder %s is missing: artifacts are there, copy it together with %s", n.folder, n.file)
}

func (n *noFolder) Unwrap() error { return n.err }

// makeRoot is root for writing: it makes the folder where there is none, and
// the folder's name durable.
func (db *DB) makeRoot() (*os.Root, error) {
	folder := db.artifactFolder()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if !db.folderSynced {
		if err := syncFolder(os.Open(filepath.Dir(folder))); err != nil {
			return nil, err
		}
		db.folderSynced = true
	}
	return os.OpenRoot(folder)
}

// writeContent writes src into a new file, durably, and digests it.
func writeContent(root *os.Root, temporary string, src io.Reader) (digest []byte, size int64, err error) {
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, 0, err
	}
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(file, sum), src)
	if err == nil {
		err = file.Sync()
	}
	return sum.Sum(nil), size, errors.Join(err, file.Close())
}

// placeContent gives content its name, durably. Content that has the name
// already is replaced: it is the same, or it is damaged, and then this heals it.
func placeContent(root *os.Root, temporary string, digest []byte) error {
	to := contentPath(digest)
	folder := path.Dir(to)
	if err := root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := root.Rename(temporary, to); err != nil {
		return err
	}
	return syncPlace(root, digest)
}

// syncPlace makes the name of content durable.
func syncPlace(root *os.Root, digest []byte) error {
	return errors.Join(syncFolder(root.Open(path.Dir(contentPath(digest)))), syncFolder(root.Open(".")))
}

func syncFolder(folder *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (db *DB) openContent(digest []byte) (io.ReadCloser, error) {
	if err := checkDigest(digest); err != nil {
		return nil, err
	}
	root, err := db.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return openVerified(root, digest)
}

func openVerified(root *os.Root, digest []byte) (io.ReadCloser, error) {
	file, err := root.Open(contentPath(digest))
	if err != nil {
		return nil, err
	}
	return &verified{file: file, sum: sha256.New(), want: digest}, nil
}

// holds tells whether content is there and whole.
func holds(root *os.Root, digest []byte, size int64) bool {
	content, err := openVerified(root, digest)
	if err != nil {
		return false
	}
	defer content.Close()
	found, err := io.Copy(io.Discard, content)
	return err == nil && found == size
}

// verified reads a file and checks at its end that it has the digest.
type verified struct {
	file *os.File
	sum  hash.Hash
	want []byte
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.file.Read(p)
	v.sum.Write(p[:n])
	if err == io.EOF && string(v.sum.Sum(nil)) != string(v.want) {
		err = fmt.Errorf("the content is damaged: its SHA-256 is %x, not %x", v.sum.Sum(nil), v.want)
	}
	return n, err
}

func (v *verified) Close() error { return v.file.Close() }
