package coursework

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// DefaultLimit is how large a submission may be, packed or unpacked, in bytes.
const DefaultLimit = 512 << 20

// Extension ends the name of a submission's file.
const Extension = ".tar.gz"

// writeArchive packs the files of a manifest, which lie in dir, and signs them.
// Times, owners and modes are the same for all, so that equal content makes equal
// bytes.
func writeArchive(ctx context.Context, w io.Writer, dir string, m *Manifest, key *Key) error {
	text, err := encode(m)
	if err != nil {
		return err
	}
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed) // weights hardly shrink
	if err != nil {
		return err
	}
	archive := tar.NewWriter(packed)
	signature := key.sign(append([]byte(purpose), text...))
	for _, part := range []struct {
		name    string
		content []byte
	}{{manifestName, text}, {signatureName, signature}} {
		if err := archive.WriteHeader(header(part.name, int64(len(part.content)))); err != nil {
			return err
		}
		if _, err := archive.Write(part.content); err != nil {
			return err
		}
	}
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := addFile(archive, filepath.Join(dir, filepath.FromSlash(f.Name)), f); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), packed.Close())
}

func addFile(archive *tar.Writer, path string, f File) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := archive.WriteHeader(header(f.Name, f.Size)); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, Format: tar.FormatUSTAR}
}

// errNoSubmission says that a file is something else.
var errNoSubmission = errors.New("it is no submission: patchlab coursework submit makes one")

// ReadManifest reads a submission's manifest and checks the signature, and no more.
func ReadManifest(path string, limit int64) (*Manifest, error) {
	a, err := openArchive(path, limit)
	if err != nil {
		return nil, err
	}
	defer a.file.Close()
	return a.manifest()
}

// Unpack writes the files of a submission into a folder that is there and empty,
// after checking the signature, and checks every digest on the way.
func Unpack(ctx context.Context, path string, limit int64, dir string) (*Manifest, error) {
	a, err := openArchive(path, limit)
	if err != nil {
		return nil, err
	}
	defer a.file.Close()
	m, err := a.manifest()
	if err != nil {
		return nil, err
	}
	if m.size(limit) < 0 {
		return nil, a.tooLarge()
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := a.next(f.Name, f.Size); err != nil {
			return nil, err
		}
		if err := a.store(root, f); err != nil {
			return nil, err
		}
	}
	return m, a.end()
}

// archive is a submission that is being read, from its beginning to its end.
type archive struct {
	file   *os.File
	source *bufio.Reader
	packed *gzip.Reader
	tar    *tar.Reader
	limit  int64
}

// openArchive opens a submission. Neither its file nor what it unpacks to may
// have more than limit bytes.
func openArchive(path string, limit int64) (a *archive, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	a = &archive{file: file, source: bufio.NewReader(file), limit: limit}
	switch {
	case !info.Mode().IsRegular():
		return nil, errNoSubmission
	case info.Size() > limit:
		return nil, a.tooLarge()
	}
	if a.packed, err = gzip.NewReader(a.source); err != nil {
		return nil, errNoSubmission
	}
	a.packed.Multistream(false)
	const headers = maxFiles * 1024 // what tar adds: a block before each file, and up to one after
	a.tar = tar.NewReader(&bounded{a.packed, limit + headers, a.tooLarge()})
	return a, nil
}

func (a *archive) tooLarge() error {
	return fmt.Errorf("it has more than %d MB", a.limit>>20)
}

// bounded reads no more than so many bytes: the next is an error.
type bounded struct {
	io.Reader
	left int64
	more error
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.more
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// next goes to the next file, which must be the one of that name and size.
func (a *archive) next(name string, size int64) error {
	h, err := a.header()
	if err != nil {
		return err
	}
	if h.Name != name || h.Size != size {
		return fmt.Errorf("it holds the file %q of %d bytes where %s of %d bytes belongs", brief(h.Name), h.Size, name, size)
	}
	return nil
}

// header reads the next file's header. Only plain files are taken: no links,
// devices, folders or sparse files.
func (a *archive) header() (*tar.Header, error) {
	h, err := a.tar.Next()
	if err != nil {
		return nil, broken(err)
	}
	if h.Typeflag != tar.TypeReg || len(h.PAXRecords) > 0 || h.Size < 0 {
		return nil, fmt.Errorf("it holds %q, which is not a plain file", brief(h.Name))
	}
	return h, nil
}

// broken says in a sentence what an error of reading means.
func broken(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is cut short: it was not copied to its end")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, tar.ErrHeader), errors.As(err, &corrupt):
		return fmt.Errorf("it is damaged: %w", err)
	}
	return err
}

// manifest reads the manifest, with which a submission begins, and its signature.
func (a *archive) manifest() (*Manifest, error) {
	h, err := a.header()
	if err != nil {
		return nil, err
	}
	if h.Name != manifestName {
		return nil, errNoSubmission
	}
	if h.Size > maxManifest {
		return nil, fmt.Errorf("its manifest has %d bytes; allowed: up to %d", h.Size, maxManifest)
	}
	text, err := io.ReadAll(a.tar)
	if err != nil {
		return nil, broken(err)
	}
	if err := a.next(signatureName, ed25519.SignatureSize); err != nil {
		return nil, err
	}
	signature, err := io.ReadAll(a.tar)
	if err != nil {
		return nil, broken(err)
	}
	return parseManifest(text, signature)
}

// store writes the file at hand under its name, which the manifest was checked
// to have from a few, and checks its digest.
func (a *archive) store(root *os.Root, f File) (err error) {
	if folder := path.Dir(f.Name); folder != "." {
		if err := root.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	file, err := root.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, sum), a.tar); err != nil {
		return broken(err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("its file %s has not the digest that was signed: it was changed", f.Name)
	}
	return nil
}

// end checks that nothing follows.
func (a *archive) end() error {
	if h, err := a.tar.Next(); err == nil {
		return fmt.Errorf("it holds the file %q besides those that were signed", brief(h.Name))
	} else if err != io.EOF {
		return broken(err)
	}
	var rest bytes.Buffer
	if _, err := io.Copy(&rest, io.LimitReader(a.packed, 1)); err != nil { // the checksum is at the very end
		return broken(err)
	}
	if _, err := a.source.ReadByte(); rest.Len() > 0 || err != io.EOF {
		return errors.New("there is more behind its end")
	}
	return nil
}
