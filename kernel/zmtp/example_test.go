package zmtp_test

import (
	"context"
	"fmt"

	"patchlab/kernel/zmtp"
)

// A client asks, a server answers to the identity that came with the question.
func Example() {
	server, err := zmtp.Listen("tcp", "127.0.0.1:0", zmtp.Router, zmtp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client, err := zmtp.Dial(context.Background(), "tcp", server.Addr().String(), zmtp.Dealer, zmtp.Options{Identity: []byte("ann")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	client.Send([][]byte{[]byte("question")})
	question := <-server.Messages()
	server.Send([][]byte{question[0], []byte("answer")})
	fmt.Printf("%s %s\n", question, <-client.Messages())
	// Output: [ann question] [answer]
}
