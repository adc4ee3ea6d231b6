package datasets

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// realCIFAR is the folder of real CIFAR-10 pictures called kind ("jpeg" or "exact").
func realCIFAR(t testing.TB, kind string) string {
	t.Helper()
	root := os.Getenv("PATCHLAB_TEST_DATA")
	if root == "" {
		t.Skip("PATCHLAB_TEST_DATA is not set: no real pictures to read")
	}
	return filepath.Join(root, kind)
}

func TestRealCIFAR10Facts(t *testing.T) {
	d, err := Load(t.Context(), "cifar10", Options{Dir: realCIFAR(t, "jpeg")})
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 50_000 || d.Test.Len() != 10_000 || d.Height != 32 || d.Width != 32 || d.Channels != 3 {
		t.Errorf("got %d train, %d test of %d×%d×%d", d.Train.Len(), d.Test.Len(), d.Height, d.Width, d.Channels)
	}
	if got, want := d.Train.Labels[:10], []uint8{6, 9, 9, 4, 1, 1, 2, 7, 8, 3}; !slices.Equal(got, want) {
		t.Errorf("first train labels %v, want %v", got, want)
	}
	if got, want := d.Test.Labels[:10], []uint8{3, 8, 8, 0, 6, 6, 1, 6, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("first test labels %v, want %v", got, want)
	}
	for label, n := range d.Train.ClassCounts(10) {
		if n != 5000 {
			t.Errorf("%d train images of class %d, want 5000", n, label)
		}
	}
	for label, n := range d.Test.ClassCounts(10) {
		if n != 1000 {
			t.Errorf("%d test images of class %d, want 1000", n, label)
		}
	}
}
