package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"patchlab/tracker"
	"patchlab/tracker/server"
)

// newServeCommand is `patchlab serve`: MLflow's tracking protocol over a database.
func newServeCommand() *cobra.Command {
	var dbPath, address, tokenFile string
	var options server.Options
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a tracking database to MLflow's Python client",
		Long: `Speaks MLflow's tracking protocol, so that Python code with the unmodified mlflow
client (autologging and log_model included) records into the tracking database.

Beyond this machine (an --addr that is not loopback) clients must carry a token:
set PATCHLAB_TOKEN or --token-file here, MLFLOW_TRACKING_TOKEN there, and name
with --host the names by which clients know this machine.`,
		Example: `  patchlab serve --db lab.db
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
			if err != nil {
				return err
			}
			defer listener.Close()
			if host, _, err := net.SplitHostPort(listener.Addr().String()); err == nil {
				options.Hosts = append(options.Hosts, host)
			}
			db, err := tracker.Open(dbPath)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "serving %s at http://%s (Ctrl-C ends)\n", dbPath, listener.Addr())
			err = server.Serve(cmd.Context(), listener, server.New(db, options))
			return errors.Join(err, db.Close())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&dbPath, "db", cmp.Or(os.Getenv("PATCHLAB_DB"), "patchlab.db"), "the tracking database, made where it does not exist")
	flags.StringVar(&address, "addr", "127.0.0.1:5000", "where to listen")
	flags.StringVar(&tokenFile, "token-file", "", "a file with the token that clients must carry")
	flags.StringSliceVar(&options.Hosts, "host", nil, "a name by which clients know this machine (may be repeated)")
	return cmd
}
