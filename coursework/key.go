package coursework

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Key signs a student's submissions.
type Key struct {
	Student string
	private ed25519.PrivateKey
}

// PublicKey is what a teacher knows a student by: "ed25519:" and the key in base64.
type PublicKey string

const (
	keyScheme  = "ed25519:"
	keyBlock   = "PRIVATE KEY" // PKCS #8
	keyStudent = "Student"     // the PEM header that holds the name
)

// DefaultKeyPath is where a student's key lies: coursework.key in the folder
// patchlab of the user's configuration.
func DefaultKeyPath() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place for the key: %w", err)
	}
	return filepath.Join(folder, "patchlab", "coursework.key"), nil
}

// NewKey makes a key for a student.
func NewKey(student string) (*Key, error) {
	if err := checkName("student", student); err != nil {
		return nil, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Key{student, private}, nil
}

// Public is the key's public half.
func (k *Key) Public() PublicKey {
	return PublicKey(keyScheme + base64.StdEncoding.EncodeToString(k.private.Public().(ed25519.PublicKey)))
}

// Save writes the key into a new file that its owner alone can read. A file that
// is there is never replaced.
func (k *Key) Save(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("saving the key: %w", err)
		}
	}()
	private, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: keyBlock, Headers: map[string]string{keyStudent: k.Student}, Bytes: private})
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), path) // fails where there is one
}

// ReadKey reads what [Key.Save] wrote. A file that others can read is refused, as
// ssh refuses it.
func ReadKey(path string) (*Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != keyBlock {
		return nil, fmt.Errorf("%s holds no key: it has no PEM block %q", path, keyBlock)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("the key %s can be read by others (mode %04o): chmod 600 %s", path, mode, path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the key %s: %w", path, err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key %s is a %T; allowed: Ed25519", path, parsed)
	}
	k := &Key{block.Headers[keyStudent], private}
	if err := checkName("student", k.Student); err != nil {
		return nil, fmt.Errorf("the key %s: %w", path, err)
	}
	return k, nil
}

// FindKey reads the key at a path, or makes it for a student where there is none.
// An empty student is the key's own.
func FindKey(path, student string) (key *Key, made bool, err error) {
	key, err = ReadKey(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && student == "":
		return nil, false, fmt.Errorf("you have no key yet: name yourself with --student, by the login that your teacher knows")
	case errors.Is(err, fs.ErrNotExist):
		if key, err = NewKey(student); err == nil {
			err = key.Save(path)
		}
		return key, true, err
	case err == nil && student != "" && student != key.Student:
		return nil, false, fmt.Errorf("the key %s is %s's, not %s's: leave --student out, or name another file with --key", path, key.Student, student)
	}
	return key, false, err
}

func (k *Key) sign(message []byte) []byte { return ed25519.Sign(k.private, message) }

// Short is the beginning of the key, enough for a person to tell keys apart.
func (p PublicKey) Short() string {
	text := strings.TrimPrefix(string(p), keyScheme)
	return text[:min(8, len(text))]
}

func (p PublicKey) decode() (ed25519.PublicKey, error) {
	text, ok := strings.CutPrefix(string(p), keyScheme)
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is no public key such as %s… with %d bytes in base64", brief(string(p)), keyScheme, ed25519.PublicKeySize)
	}
	return key, nil
}

// verify tells whether the key's owner signed a message.
func (p PublicKey) verify(message, signature []byte) (bool, error) {
	key, err := p.decode()
	return err == nil && ed25519.Verify(key, message, signature), err
}

// Names become names of files and folders, on any system.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?$`)

func checkName(kind, text string) error {
	if !namePattern.MatchString(text) {
		return fmt.Errorf("the %s %q; allowed: 1 to 64 small letters, digits, . _ @ and -, such as 02-vit or ada@example.org, a letter or a digit first and last",
			kind, brief(text))
	}
	return nil
}

// brief is the beginning of a text that may be long.
func brief(text string) string {
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:79]) + "…"
	}
	return text
}
