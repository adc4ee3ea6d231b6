package message_test

import (
	"fmt"

	"patchlab/kernel/message"
)

// A client asks, a kernel answers, both with the key of the connection file.
func Example() {
	key := message.Key("secret")
	client, kernel := message.NewSession("ann"), message.NewSession("kernel")

	request, _ := client.New(message.TypeIsCompleteRequest, message.IsCompleteRequest{Code: "x := 1"})
	frames, _ := key.Encode(request)

	received, err := key.Decode(frames)
	if err != nil {
		fmt.Println(err)
		return
	}
	var question message.IsCompleteRequest
	if err := received.Content(&question); err != nil {
		fmt.Println(err)
		return
	}
	reply, _ := kernel.Reply(received, message.TypeIsCompleteReply, message.IsCompleteReply{Status: "complete"})
	fmt.Println(question.Code, "→", string(reply.Body), reply.Parent.ID == request.Header.ID)
	// Output: x := 1 → {"status":"complete","indent":""} true
}
