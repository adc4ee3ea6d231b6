package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"patchlab/tracker"
	"patchlab/tracker/server"
	"patchlab/web"
)

// newServeCommand is `patchlab serve`: the live page and MLflow's tracking
// protocol over a database.
func newServeCommand() *cobra.Command {
	var dbPath, address, tokenFile string
	var readOnly bool
	var options server.Options
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a tracking database: the live page, and MLflow's protocol",
		Long: `Serves a tracking database in two ways, at one address.

A browser finds the live page there: all runs, with their progress while they go
on; each run with its curves, artifacts and notes; and the comparison of those
that you choose. Nothing is fetched from anywhere else.

Python code with the unmodified mlflow client (autologging and log_model
included) records into the database by MLflow's tracking protocol.

Beyond this machine (an --addr that is not loopback) both must carry a token:
set PATCHLAB_TOKEN or --token-file here (8 characters or more), and
MLFLOW_TRACKING_TOKEN there. Requests may name this machine by its addresses and
its host name; add other names by which clients know it with --host. A browser
asks for the token: any user name, and the token as the password. The token and
all else travel unencrypted: beyond a network that you trust, put a proxy with
TLS in front.`,
		Example: `  patchlab serve --db lab.db                then open http://127.0.0.1:5000
  patchlab serve --db lab.db --read-only    to show it, nobody changes it
  MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python train.py
  PATCHLAB_TOKEN=… patchlab serve --addr 0.0.0.0:5000 --host lab.example.org`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Token = os.Getenv("PATCHLAB_TOKEN")
			if tokenFile != "" {
				text, err := os.ReadFile(tokenFile)
				if err != nil {
					return fmt.Errorf("reading the token: %w", err)
				}
				if options.Token = strings.TrimSpace(string(text)); options.Token == "" {
					return fmt.Errorf("the token file %s is empty", tokenFile)
				}
			}
			listener, err := server.Listen(address, options)
			if errors.Is(err, syscall.EADDRINUSE) {
				host, _, _ := net.SplitHostPort(address) // which was listened at
				err = fmt.Errorf("%w; name another port, or let one be found: --addr %s", err, net.JoinHostPort(host, "0"))
			}
			if err != nil {
				return err
			}
			defer listener.Close()
			at := listener.Addr().(*net.TCPAddr)
			names, err := namesOf(at.IP)
			if err != nil {
				return err
			}
			options.Hosts = append(options.Hosts, names...)
			var opening []tracker.Option
			if readOnly {
				opening = append(opening, tracker.ReadOnly())
			}
			db, err := tracker.Open(dbPath, opening...)
			if err != nil {
				return err
			}
			options.Pages = web.New(db, web.Options{Name: filepath.Base(dbPath), ReadOnly: readOnly, Stop: cmd.Context().Done()})
			open := at.String()
			if at.IP.IsUnspecified() { // which no browser opens
				open = net.JoinHostPort(options.Hosts[0], strconv.Itoa(at.Port))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "serving %s at http://%s (Ctrl-C ends)\n", dbPath, open)
			if !at.IP.IsLoopback() {
				fmt.Fprintf(cmd.OutOrStdout(), "answering to localhost, %s; --host adds a name\n", strings.Join(options.Hosts, ", "))
			}
			err = server.Serve(cmd.Context(), listener, server.New(db, options))
			return errors.Join(err, db.Close())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&dbPath, "db", cmp.Or(os.Getenv("PATCHLAB_DB"), "patchlab.db"), "the tracking database, made where it does not exist")
	flags.StringVar(&address, "addr", "127.0.0.1:5000", "where to listen")
	flags.StringVar(&tokenFile, "token-file", "", "a file with the token that clients must carry")
	flags.BoolVar(&readOnly, "read-only", false, "show the database and let nobody change it, neither on the page nor by the protocol")
	flags.StringSliceVar(&options.Hosts, "host", nil, "a name by which clients know this machine (may be repeated)")
	return cmd
}

// namesOf are the names that requests for an address may carry. A page whose
// name was rebound to this machine carries that name, never an address; so the
// machine's own addresses are as safe as its host name.
func namesOf(ip net.IP) ([]string, error) {
	if ip.IsLoopback() {
		return []string{ip.String()}, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for this machine's name: %w", err)
	}
	names := []string{host}
	if !ip.IsUnspecified() {
		return append(names, ip.String()), nil
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("asking for this machine's addresses: %w", err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			names = append(names, n.IP.String())
		}
	}
	return names, nil
}
