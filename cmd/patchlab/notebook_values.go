package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// keptValues is the folder of what the cells keep while a notebook is run into output: empty, or where the run goes on,
// as the run before left it.
func keptValues(output string, goesOn bool) (string, error) {
	path, err := filepath.Abs(output)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("looking for the cache folder, where cells keep values: %w", err)
	}
	sum := sha256.Sum256([]byte(path))
	folder := filepath.Join(cache, "patchlab", "values", hex.EncodeToString(sum[:12]))
	if !goesOn {
		if err := os.RemoveAll(folder); err != nil {
			return "", fmt.Errorf("removing what an earlier run kept: %w", err)
		}
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("making the folder for what cells keep: %w", err)
	}
	return folder, nil
}
