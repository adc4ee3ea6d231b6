package web_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"patchlab/tracker"
	"patchlab/web"
)

func Example() {
	folder, err := os.MkdirTemp("", "web")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	db, err := tracker.Open(filepath.Join(folder, "lab.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	pages := httptest.NewServer(web.New(db, web.Options{Name: "lab.db"}))
	defer pages.Close()

	answer, err := http.Get(pages.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status, strings.Contains(string(text), "No runs yet"))
	// Output: 200 OK true
}
