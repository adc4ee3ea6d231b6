package front_test

import (
	"context"
	"fmt"

	"patchlab/kernel/front"
	"patchlab/kernel/message"
)

// Messages travel unprotected, so a kernel listens on the loopback interface or on Unix sockets only.
func Example() {
	connection, err := message.NewTCP("patchlab")
	if err != nil {
		fmt.Println(err)
		return
	}
	connection.IP = "192.0.2.1"
	fmt.Println(front.Serve(context.Background(), front.Options{Connection: connection, Folder: "/tmp/patchlab-example"}))
	// Output: starting the kernel: connection: ip "192.0.2.1", allowed are loopback addresses such as 127.0.0.1
}

func ExampleHistory() {
	h := front.NewHistory()
	h.Add(1, "x := 1", "")
	h.Add(2, "1 + 2", "3")
	found, err := h.Find(message.HistoryRequest{Access: "search", Pattern: "1 +*", Output: true})
	fmt.Println(found, err)
	// Output: [[1 2 [1 + 2 3]]] <nil>
}
