package cell_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"patchlab/kernel/cell"
)

func Example() {
	os.Setenv(cell.Session, "/run/user/1000/patchlab-1")
	defer os.Unsetenv(cell.Session)
	folder, err := cell.Folder()
	fmt.Println(folder, err)
	// Output: /run/user/1000/patchlab-1 <nil>
}

func TestFolder(t *testing.T) {
	for _, c := range []struct{ session, gonb, want string }{
		{"/a", "/b", "/a"},
		{"", "/b", "/b/.patchlab"},
	} {
		t.Setenv(cell.Session, c.session)
		t.Setenv("GONB_TMP_DIR", c.gonb)
		if got, err := cell.Folder(); got != c.want || err != nil {
			t.Errorf("with %q and %q: %q, %v; want %q", c.session, c.gonb, got, err, c.want)
		}
	}
	t.Setenv(cell.Session, "/a")
	if got, err := cell.ValuesFolder(); got != "/a/values" || err != nil {
		t.Errorf("values lie in %q, %v", got, err)
	}
	t.Setenv(cell.Kept, "/c")
	if got, err := cell.ValuesFolder(); got != "/c" || err != nil {
		t.Errorf("values that outlive the session lie in %q, %v", got, err)
	}
	t.Setenv(cell.Session, "")
	t.Setenv("GONB_TMP_DIR", "")
	if _, err := cell.Folder(); !errors.Is(err, cell.ErrNoSession) {
		t.Errorf("without a session: error %v", err)
	}
}
