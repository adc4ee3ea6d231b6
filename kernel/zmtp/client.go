package zmtp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Client is a connected socket of kind Dealer, Sub or Req. It does not reconnect: Messages is closed when the
// connection is lost.
type Client struct {
	conn     *conn
	messages chan [][]byte
	done     chan struct{}
	once     sync.Once
	ended    chan struct{}
}

// Dial connects to a bound socket, trying again until the context ends or somebody listens. Network and address are
// those of package net. A Sub receives nothing before it has subscribed.
func Dial(ctx context.Context, network, address string, kind Kind, o Options) (*Client, error) {
	if kind != Dealer && kind != Sub && kind != Req {
		return nil, fmt.Errorf("zmtp: cannot dial with kind %s, allowed are DEALER, SUB and REQ", kind)
	}
	var dialer net.Dialer
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		raw, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { raw.Close() })
			var c *conn
			c, err = open(raw, kind, o.withDefaults())
			if !stop() && err == nil {
				c.close()
				err = ctx.Err()
			}
			if err == nil {
				client := &Client{conn: c, messages: make(chan [][]byte, 16), done: make(chan struct{}), ended: make(chan struct{})}
				go client.read()
				return client, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("zmtp: dialling %s: %w", address, errors.Join(ctx.Err(), err))
		case <-time.After(wait):
		}
	}
}

func (c *Client) read() {
	defer close(c.ended)
	defer close(c.messages)
	for {
		frames, err := c.conn.receive()
		if err != nil {
			if errors.Is(err, ErrTooLarge) {
				c.conn.options.Log("zmtp: disconnecting: %v", err)
			}
			c.conn.net.Close()
			return
		}
		select {
		case c.messages <- frames:
		case <-c.done:
			return
		}
	}
}

// Messages are the received messages. It is closed when the connection is.
func (c *Client) Messages() <-chan [][]byte { return c.messages }

// Send queues a message and returns without waiting. The frames must not be changed afterwards.
func (c *Client) Send(frames [][]byte) error { return c.conn.send(frames) }

// Subscribe asks a Pub for the messages whose first frame begins with topic; the empty topic asks for all.
func (c *Client) Subscribe(topic string) error {
	return c.conn.send([][]byte{append([]byte{1}, topic...)})
}

// Close sends what is queued, for a second at most, and closes the connection.
func (c *Client) Close() error {
	c.once.Do(func() {
		close(c.done)
		c.conn.close()
		<-c.ended
	})
	return nil
}
