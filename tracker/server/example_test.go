package server_test

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
	"patchlab/tracker/server"
)

func Example() {
	folder, err := os.MkdirTemp("", "server")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	db, err := tracker.Open(filepath.Join(folder, "lab.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	web := httptest.NewServer(server.New(db, server.Options{}))
	defer web.Close()

	answer, err := http.Post(web.URL+"/api/2.0/mlflow/experiments/create", "application/json", strings.NewReader(`{"name": "vision"}`))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(text))
	// Output: {"experiment_id":"1"}
}
