// Package server speaks MLflow's tracking protocol over a tracking database,
// so that Python code with the unmodified mlflow client records into it.
//
//	handler := server.New(db, server.Options{})
//	err := server.Serve(ctx, listener, handler)
//
// # What is trusted
//
// Nothing that a client sends. Requests must name a host that the server
// answers for and come from no other web site; beyond loopback they must carry
// a token. Bodies, batches, artifacts and waiting times are bounded. Names of
// artifacts are keys in the database, never paths: content lies under its
// digest. Nothing is fetched, unpickled or executed. What is not known is
// refused.
//
// # What differs from MLflow's server
//
// Run IDs are ULIDs; IDs of experiments are numbers of this database. Logged
// models belong to a run: their files are its artifacts below .models, their
// records its tags; metrics are kept of runs, not of models. There is no model
// registry and there are no traces.
//
// A run that has ended may still be given tags, parameters, points and further
// artifacts, as MLflow's clients may: its digest is computed anew. The content
// of an artifact is then no longer replaced, unless the run is reopened by
// setting its status to RUNNING. A run that another process writes, such as a
// training on this machine, cannot be changed through the server meanwhile.
// A client that dies without ending its run leaves it running until the server
// ends, as MLflow's server does: nobody tells a slow client from a dead one.
// Whoever has the token may change every run; there are no users.
// Tags that begin with patchlab.model. or patchlab.env. are the server's own.
package server
